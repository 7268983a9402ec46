// `defineMiddleware`: what is done around every enqueue and around every run, whichever handler it is. Plain frozen data,
// as handlers are: the author's copy of this library and ours are different modules.

import type { Ctx, EnqueueOptions } from "./context.ts";
import type { Message } from "./message.ts";

/** Texts that travel with a delivery, from the middleware that enqueues it to the one that runs it. */
export type Meta = Readonly<Record<string, string>>;

/** One `enqueue` or `emit`, before anything of it is written. */
export interface EnqueueCall {
  readonly kind: "job" | "event";
  /** Of the contract. */
  readonly name: string;
  /** Of an event its payload. */
  readonly input: unknown;
  readonly options: EnqueueOptions;
  readonly meta: Meta;
  /** The run that enqueues; absent in a program that is no handler. */
  readonly from?: {
    readonly route: string;
    /** The origin id of its delivery. */
    readonly id: string;
    /** The ordering key that it holds. */
    readonly key?: string;
    readonly attempt: number;
    readonly meta: Meta;
  };
}

/** What a middleware may replace. What is left out stays. */
export type EnqueueChange = Partial<Pick<EnqueueCall, "input" | "options" | "meta">>;

export interface EnqueuedIds {
  /** One of a job; of an event one per route that hears of it. */
  readonly ids: readonly string[];
}

/** Around every enqueue and emit. @see Middleware */
export type EnqueueMiddleware = (
  call: EnqueueCall,
  next: (change?: EnqueueChange) => Promise<EnqueuedIds>,
) => EnqueuedIds | Promise<EnqueuedIds>;

/** The ctx of the handler, of whatever kind its route is. */
export interface RunningCtx extends Ctx {
  /** Of a job. */
  readonly input?: unknown;
  /** Of an event. */
  readonly payload?: unknown;
  /** Of a webhook. */
  readonly body?: unknown;
  /** Of a command, hear or fallback. */
  readonly message?: Message;
}

/** Around every run. What it gives is what the handler would have returned. */
export type RunMiddleware = (ctx: RunningCtx, next: () => Promise<unknown>) => unknown;

/** What a module of a handlers folder exports by default, beside handlers. */
export interface Middleware {
  readonly format: 1;
  readonly kind: "middleware";
  readonly name: string;
  readonly order: number;
  readonly enqueue?: EnqueueMiddleware;
  readonly run?: RunMiddleware;
}

export interface MiddlewareOptions {
  readonly name: string;
  /** Lower is further out. Default: 0; of the same order by file. */
  readonly order?: number;
  readonly enqueue?: EnqueueMiddleware;
  readonly run?: RunMiddleware;
}

const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
const OPTIONS: ReadonlySet<string> = new Set(["name", "order", "enqueue", "run"]);

/** Throws one TypeError that lists everything that is wrong; its `cause` is the list. */
export function defineMiddleware(options: MiddlewareOptions): Middleware {
  const { name, order = 0, enqueue, run } = options;
  const problems: string[] = [];
  for (const key of Object.keys(options)) if (!OPTIONS.has(key)) problems.push(`unknown option ${key}`);
  if (typeof name !== "string" || !NAME.test(name))
    problems.push(`the name ${JSON.stringify(name)} must be a letter and then letters, digits, - or _`);
  if (typeof order !== "number" || !Number.isFinite(order)) problems.push("order must be a number");
  for (const [key, value] of Object.entries({ enqueue, run }))
    if (value !== undefined && typeof value !== "function") problems.push(`${key} is no function`);
  if (enqueue === undefined && run === undefined) problems.push("it needs enqueue, run or both");
  if (problems.length > 0) throw refusal(name, problems);
  return Object.freeze({
    format: 1,
    kind: "middleware",
    name,
    order,
    ...(enqueue === undefined ? {} : { enqueue }),
    ...(run === undefined ? {} : { run }),
  });
}

/** Its stack starts where the author called, so that the start can name file and line. */
function refusal(name: unknown, problems: readonly string[]): TypeError {
  const error = new TypeError(`middleware ${JSON.stringify(name)}: ${problems.join("; ")}`, { cause: problems });
  Error.captureStackTrace(error, defineMiddleware);
  return error;
}
