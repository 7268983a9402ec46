// Dialogs: the browser's own, which keep the focus inside and give it back. One at a time.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Icon } from "./icon.tsx";
import { Store, useStore } from "./store.ts";

type Shown = (close: () => void) => JSX.Element;
const open = new Store<Shown | undefined>(undefined);

export function showDialog(shown: Shown): void {
  open.set(shown);
}

export function isDialogOpen(): boolean {
  return open.value !== undefined;
}

export function Dialogs(): JSX.Element | null {
  const shown = useStore(open);
  return shown === undefined ? null : shown(() => open.set(undefined));
}

interface FrameProps {
  readonly title: string;
  readonly close: () => void;
  readonly children: ComponentChildren;
  readonly wide?: boolean;
}

export function Frame({ title, close, children, wide }: FrameProps): JSX.Element {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    return () => {
      element.current?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog ref={element} class={wide === true ? "wide" : ""} aria-labelledby={id} onClose={close}>
      <header class="row">
        <h2 id={id}>{title}</h2>
        <button type="button" class="quiet push" onClick={close} aria-label="Close">
          <Icon name="close" />
        </button>
      </header>
      {children}
    </dialog>
  );
}

interface FormProps {
  readonly title: string;
  readonly close: () => void;
  /** On the button that does it. */
  readonly verb: string;
  readonly danger?: boolean;
  readonly children?: ComponentChildren;
  readonly wide?: boolean;
  /** False: what is to be filled in is not there yet. */
  readonly isReady?: boolean;
  /** Closes unless it throws; then the error is shown. */
  readonly act: (form: FormData) => Promise<void>;
}

export function Form({ title, close, verb, danger, children, wide, isReady, act }: FormProps): JSX.Element {
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    try {
      await act(new FormData(event.target as HTMLFormElement));
      close();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };
  return (
    <Frame title={title} close={close} {...(wide === true && { wide })}>
      <form onSubmit={(event) => void submit(event as unknown as SubmitEvent)}>
        {children}
        <p class="problem" role="alert">
          {problem}
        </p>
        <footer class="row end">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class={danger === true ? "danger" : "primary"} disabled={isBusy || isReady === false}>
            {verb}
          </button>
        </footer>
      </form>
    </Frame>
  );
}

interface Question {
  readonly title: string;
  readonly text: ComponentChildren;
  readonly verb: string;
  readonly act: () => Promise<void>;
}

/** Before what cannot be undone. */
export function confirm({ title, text, verb, act }: Question): void {
  showDialog((close) => (
    <Form title={title} verb={verb} danger close={close} act={act}>
      <p>{text}</p>
    </Form>
  ));
}
