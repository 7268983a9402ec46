// What came of a run, as data: an author returns or throws one of these instead of an error.

import { type Duration, durationMs } from "./duration.ts";

/** Finished. `value` is what a returned value would have been: a string is a reply in chat, a result in a job. */
export interface Done {
  readonly "~outcome": "done";
  readonly value?: unknown;
}

/** Run it again after `delayMs`. It counts as an attempt, so the route's `attempts` bounds it. */
export interface RetryLater {
  readonly "~outcome": "retryLater";
  readonly delayMs: number;
  /** `block` keeps the place at the head of the ordering key, `skip` lets the key go on. */
  readonly mode: "block" | "skip";
}

/** Finished without success, and trying again would not help. No failure is counted. */
export interface Discard {
  readonly "~outcome": "discard";
  readonly reason: string;
}

/** Failed for good: a dead letter at once, whatever attempts are left. */
export interface Fail {
  readonly "~outcome": "fail";
  readonly reason: string;
}

export type RunOutcome = Done | RetryLater | Discard | Fail;

export function done(value?: unknown): Done {
  return Object.freeze(value === undefined ? { "~outcome": "done" } : { "~outcome": "done", value });
}

export function retryLater(delay: number | Duration, options: { readonly mode?: "block" | "skip" } = {}): RetryLater {
  const delayMs = typeof delay === "number" ? delay : durationMs(delay);
  if (delayMs === undefined || !Number.isFinite(delayMs) || delayMs < 0)
    throw new TypeError(`retryLater: "${delay}" is neither milliseconds nor a duration such as "10s"`);
  return Object.freeze({ "~outcome": "retryLater", delayMs, mode: options.mode ?? "block" });
}

export function discard(reason: string): Discard {
  return Object.freeze({ "~outcome": "discard", reason });
}

export function fail(reason: string): Fail {
  return Object.freeze({ "~outcome": "fail", reason });
}

const KINDS: ReadonlySet<unknown> = new Set(["done", "retryLater", "discard", "fail"]);

/** Whether a returned or thrown value is an Outcome. By its shape: the author's copy of this library is another one. */
export function isOutcome(value: unknown): value is RunOutcome {
  return typeof value === "object" && value !== null && "~outcome" in value && KINDS.has(value["~outcome"]);
}
