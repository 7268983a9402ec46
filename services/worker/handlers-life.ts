// The life of the handlers in one thread: setup of each before the first run, teardown of each after the last.

import type { LoadedHandler, Manifest } from "../handlers/manifest.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { withDeadline } from "../runtime/part.ts";
import type { Emit } from "../telemetry/events.ts";

export class HandlersLife {
  readonly #manifest: Manifest;
  readonly #emit: Emit;
  readonly #stopping = new AbortController();
  /** Set up, to be torn down in the reverse order. */
  readonly #alive: LoadedHandler[] = [];

  constructor(manifest: Manifest, emit: Emit) {
    this.#manifest = manifest;
    this.#emit = emit;
  }

  /** Throws HANDLER_LOAD_FAILED when one throws; those before it are torn down then. */
  async setup(): Promise<void> {
    for (const handler of this.#manifest.handlers) {
      const { shape, config, file } = handler;
      try {
        await shape.setup?.({ config, signal: this.#stopping.signal });
        this.#alive.push(handler);
      } catch (cause) {
        await this.teardown(1000);
        const reason = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
        throw new AntiphonError("HANDLER_LOAD_FAILED", `${file}: setup of ${shape.name} threw ${reason}`, { cause });
      }
    }
  }

  /** Every handler's, whatever the others do, all within the deadline. */
  async teardown(deadlineMs: number): Promise<void> {
    this.#stopping.abort(new AntiphonError("RUN_INTERRUPTED", "The process stops."));
    const all = this.#alive.splice(0).toReversed();
    const work = all.map(async ({ shape }) => {
      try {
        await shape.teardown?.();
      } catch (error) {
        this.#emit("part.failed", { part: `teardown of ${shape.name}`, error });
      }
    });
    await withDeadline(Promise.all(work), deadlineMs, "teardown").catch((error: unknown) => {
      this.#emit("part.failed", { part: "teardown", error });
    });
  }
}
