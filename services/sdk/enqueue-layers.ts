// Middleware around enqueues as a list of layers, and what it gives a delivery to carry, checked. Shared by handlers and by
// programs that are none.

import type { EnqueueCall, EnqueuedIds, Meta, Middleware } from "./middleware.ts";
import type { Prepared } from "./prepare.ts";

export interface EnqueueLayer {
  readonly name: string;
  readonly around: (
    call: EnqueueCall,
    next: (call?: EnqueueCall) => Promise<EnqueuedIds>,
  ) => EnqueuedIds | Promise<EnqueuedIds>;
}

/** From the outermost to the innermost. */
export function enqueueLayers(middleware: readonly Middleware[]): EnqueueLayer[] {
  return inOrder(middleware).flatMap(({ name, enqueue }) => {
    if (enqueue === undefined) return [];
    const around: EnqueueLayer["around"] = (call, next) =>
      enqueue(call, (change = {}) => {
        const { input = call.input, options = call.options, meta = call.meta } = change;
        return next({ ...call, input, options, meta });
      });
    return [{ name, around }];
  });
}

/** Of the same order as they were found. */
export function inOrder(middleware: readonly Middleware[]): Middleware[] {
  return middleware.toSorted((a, b) => a.order - b.order);
}

export const NO_META: Meta = Object.freeze({});
const META_BYTES_MAX = 2048;

/** Undefined when there is nothing to carry. */
export function prepareMeta({ kind, name, meta }: EnqueueCall): Prepared<Meta | undefined> {
  const entries = Object.entries(meta);
  if (entries.length === 0) return { ok: true, value: undefined };
  const wrong = entries.find(([, value]) => typeof value !== "string");
  const what = `${kind} ${name}: `;
  if (wrong !== undefined) return { ok: false, code: "INPUT_INVALID", detail: `${what}meta.${wrong[0]} is no text.` };
  if (Buffer.byteLength(JSON.stringify(meta)) <= META_BYTES_MAX) return { ok: true, value: meta };
  return { ok: false, code: "VALUE_TOO_LARGE", detail: `${what}more than ${META_BYTES_MAX} bytes of meta.` };
}
