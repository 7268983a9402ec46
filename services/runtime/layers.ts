// Calls a function through the layers around it, the first outermost. Who throws is named, so that a run that fails in a
// layer says in which.

import { AntiphonError, type ErrorCode, hasCode } from "./errors.ts";

export interface Layer<G, R> {
  readonly name: string;
  /** Calls `next` once, or not at all. What it gives is the result. */
  readonly around: (given: G, next: (given?: G) => Promise<R>) => R | Promise<R>;
}

export interface Layered<G, R> {
  readonly layers: readonly Layer<G, R>[];
  readonly core: (given: G) => R | Promise<R>;
  /** Errors of a layer that go out as they are: they mean something to the caller. */
  readonly passes?: (error: unknown) => boolean;
}

/** Throws what the core threw, and MIDDLEWARE_FAILED for what a layer threw itself. */
export async function throughLayers<G, R>(call: Layered<G, R>, given: G): Promise<R> {
  return enter(call, 0, given);
}

async function enter<G, R>(call: Layered<G, R>, depth: number, given: G): Promise<R> {
  const layer = call.layers[depth];
  if (layer === undefined) return call.core(given);
  const inner = new Inner<R>();
  const next = (changed?: G): Promise<R> => inner.begin(layer.name, () => enter(call, depth + 1, changed ?? given));
  let result: R;
  try {
    result = await layer.around(given, next);
  } catch (error) {
    await inner.over();
    if (inner.threw(error) || meansSomething(error) || call.passes?.(error) === true) throw error;
    throw new AntiphonError("MIDDLEWARE_FAILED", `${layer.name}: ${textOf(error)}`, { cause: error });
  }
  await inner.awaited();
  return result;
}

/** What is further in: begun at most once, and never left behind. */
class Inner<R> {
  #work: Promise<R> | undefined;
  #isOver = false;
  #error: { readonly is: unknown } | undefined;

  begin(layer: string, work: () => Promise<R>): Promise<R> {
    if (this.#work !== undefined) {
      return Promise.reject(new AntiphonError("MIDDLEWARE_FAILED", `${layer}: next() may be called once.`));
    }
    this.#work = work();
    this.#work.then(
      () => (this.#isOver = true),
      (error: unknown) => {
        this.#isOver = true;
        this.#error = { is: error };
      },
    );
    return this.#work;
  }

  async over(): Promise<void> {
    await this.#work?.catch(() => {});
  }

  threw(error: unknown): boolean {
    return this.#error !== undefined && this.#error.is === error;
  }

  /** A layer that did not wait for `next` cannot have dealt with its error. */
  async awaited(): Promise<void> {
    if (!this.#isOver) await this.#work;
  }
}

/** What says that the run is over, or could not go on: no fault of the layer that heard it. */
const NO_FAULT: readonly ErrorCode[] = [
  "CLAIM_LOST",
  "FENCED",
  "REDIS_UNAVAILABLE",
  "DURABILITY_UNMET",
  "RUN_TIMEOUT",
  "RUN_INTERRUPTED",
  "MIDDLEWARE_FAILED",
];

function meansSomething(error: unknown): boolean {
  return NO_FAULT.some((code) => hasCode(error, code));
}

function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
