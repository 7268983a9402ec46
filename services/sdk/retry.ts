// When a failed run is tried again: the forms an author may write, read once into one of four plans.

import { isRecord, type Options, readDuration, refuseUnknown, type Report } from "./build-options.ts";
import { type Duration, durationMs } from "./duration.ts";

/** Exponential: `first`, doubled each time, at most `max`. `jitter` is the share of a pause that chance may take away. */
export interface Backoff {
  readonly first?: Duration;
  readonly max?: Duration;
  readonly jitter?: number;
}

/** The same pause each time. */
export interface Steady {
  readonly every: Duration;
  readonly jitter?: number;
}

/** Called with the attempt that failed, from 1. No answer: a dead letter. */
export type RetryFunction = (attempt: number, error: unknown) => Duration | undefined;

/** A list is walked once, and its last entry repeats without end. */
export type RetryPolicy = Backoff | Steady | readonly Duration[] | RetryFunction;

/** Errors that another run would meet again: by a function, or by class, name (`TypeError`) or code (`ENOENT`). */
export type NoRetry = ((error: unknown) => boolean) | readonly (string | ErrorClass)[];
export type ErrorClass = abstract new (...given: never[]) => Error;

/** A policy as run. */
export type RetryPlan =
  | { readonly kind: "backoff"; readonly firstMs: number; readonly maxMs: number; readonly jitter: number }
  | { readonly kind: "list"; readonly delaysMs: readonly number[] }
  | { readonly kind: "function"; readonly delay: RetryFunction };

export const RETRY: RetryPlan = Object.freeze({ kind: "backoff", firstMs: 1000, maxMs: 300_000, jitter: 0.5 });

/** Whether the plan itself says when to end; else the route's attempts do. */
export function isUnbounded(plan: RetryPlan | undefined): boolean {
  return plan !== undefined && plan.kind !== "backoff";
}

const LIST_MAX = 100;
const FORMS = 'retry must be { first, max }, { every }, a list such as ["3s", "30s", "24h"] or a function';
const BACKOFF_OPTIONS: ReadonlySet<string> = new Set(["first", "max", "jitter"]);
const STEADY_OPTIONS: ReadonlySet<string> = new Set(["every", "jitter"]);

/** Undefined when there is none, or when there was something to report. */
export function readRetry(options: Options, report: Report): RetryPlan | undefined {
  const value = options["retry"];
  if (value === undefined) return undefined;
  if (typeof value === "function") return Object.freeze({ kind: "function", delay: value as RetryFunction });
  if (Array.isArray(value)) return readList(value, report);
  if (!isRecord(value)) {
    report(FORMS);
    return undefined;
  }
  const tell: Report = (text) => report(`retry: ${text}`);
  const isSteady = "every" in value;
  refuseUnknown(value, isSteady ? STEADY_OPTIONS : BACKOFF_OPTIONS, tell);
  return isSteady ? readSteady(value, tell) : readBackoff(value, tell);
}

function readList(list: readonly unknown[], report: Report): RetryPlan {
  const delaysMs = list.map((entry) => durationMs(entry) ?? 0);
  const isSound = list.length > 0 && list.length <= LIST_MAX && delaysMs.every((delayMs) => delayMs > 0);
  if (!isSound) report(`retry must be a list of 1 to ${LIST_MAX} durations such as "3s" or "24h"`);
  return Object.freeze({ kind: "list", delaysMs: Object.freeze(delaysMs) });
}

function readSteady(options: Options, report: Report): RetryPlan {
  const everyMs = readDuration(options, "every", report) ?? 1;
  return Object.freeze({ kind: "backoff", firstMs: everyMs, maxMs: everyMs, jitter: readJitter(options, 0, report) });
}

function readBackoff(options: Options, report: Report): RetryPlan {
  const firstMs = readDuration(options, "first", report) ?? 1000;
  const maxMs = readDuration(options, "max", report) ?? Math.max(firstMs, 300_000);
  if (maxMs < firstMs) report("max is shorter than first");
  return Object.freeze({ kind: "backoff", firstMs, maxMs, jitter: readJitter(options, 0.5, report) });
}

function readJitter(options: Options, otherwise: number, report: Report): number {
  const value = options["jitter"];
  if (value === undefined) return otherwise;
  if (typeof value === "number" && value >= 0 && value <= 1) return value;
  report("jitter must be a number from 0 to 1");
  return otherwise;
}

const NO_RETRY = "noRetry must be a function of the error, or a list of error classes, names and codes";

export function readNoRetry(options: Options, report: Report): ((error: unknown) => boolean) | undefined {
  const value = options["noRetry"];
  if (value === undefined) return undefined;
  if (typeof value === "function") return value as (error: unknown) => boolean;
  const entries: readonly unknown[] = Array.isArray(value) ? value : [];
  if (entries.length === 0 || !entries.every(isErrorKind)) report(NO_RETRY);
  return (error) => entries.some((entry) => isOfKind(error, entry));
}

function isErrorKind(entry: unknown): boolean {
  return typeof entry === "function" || (typeof entry === "string" && entry !== "");
}

function isOfKind(error: unknown, kind: unknown): boolean {
  if (typeof kind === "function") return error instanceof kind;
  if (typeof error !== "object" || error === null) return false;
  const { name, code } = error as { readonly name?: unknown; readonly code?: unknown };
  return name === kind || code === kind;
}
