// What came of an action, said for some seconds, also to screen readers; with an undo where there is one.

import type { JSX } from "preact";
import { Icon } from "./icon.tsx";
import { Store, useStore } from "./store.ts";

export interface Toast {
  readonly id: number;
  readonly text: string;
  readonly isBad: boolean;
  readonly undo?: () => void;
}

const SHOWN_MS = 8000;
/** What can be undone stays longer. */
const UNDO_MS = 60_000;
const MOST = 4;
const toasts = new Store<readonly Toast[]>([]);
let last = 0;

export function say(text: string, { isBad = false, undo }: { isBad?: boolean; undo?: () => void } = {}): void {
  const id = ++last;
  toasts.set([...toasts.value, { id, text, isBad, ...(undo !== undefined && { undo }) }].slice(-MOST));
  setTimeout(() => drop(id), undo === undefined ? SHOWN_MS : UNDO_MS);
}

function drop(id: number): void {
  toasts.set(toasts.value.filter((toast) => toast.id !== id));
}

export function Toasts(): JSX.Element {
  const shown = useStore(toasts);
  return (
    <div class="toasts" role="status" aria-live="polite">
      {shown.map(({ id, text, isBad, undo }) => (
        <div key={id} class={isBad ? "toast bad" : "toast"}>
          <span>{text}</span>
          {undo && (
            <button
              type="button"
              onClick={() => {
                drop(id);
                undo();
              }}
            >
              Undo
            </button>
          )}
          <button type="button" class="quiet" aria-label="Dismiss" onClick={() => drop(id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
