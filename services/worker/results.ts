// What came of one run of one route, and what the route's policy makes of a failure. Pure.

import type { Random } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { WORK_ATTEMPTS } from "../sdk/build-common.ts";
import { durationMs } from "../sdk/duration.ts";
import { RETRY, type RetryFunction, type RetryPlan } from "../sdk/retry.ts";
import type { AnyRoute } from "../sdk/routes.ts";

export interface Retry {
  readonly delayMs: number;
  /** Whether the ordering key waits or goes on. */
  readonly mode: "block" | "skip";
}

export type RouteResult =
  | { readonly kind: "done"; readonly note: string; readonly value?: unknown; readonly isDiscarded?: true }
  /** Without `retry` for good. */
  | { readonly kind: "failed"; readonly reason: string; readonly retry?: Retry; readonly errorId?: string }
  /** Uncounted, to be repeated: the process stops or Redis is away. */
  | { readonly kind: "interrupted" }
  /** The delivery belongs to another run by now. */
  | { readonly kind: "lost" };

const REASON_CHARS_MAX = 1000;

export interface Again {
  /** Absent: a dead letter. */
  readonly retry?: Retry;
  /** A list came to its last entry, which repeats from now on. */
  readonly isExhausted?: true;
  /** The author's own policy threw, or gave no duration; the usual one stood in for it. */
  readonly problem?: unknown;
}

/** A run that failed; attempts count from 1. */
export interface FailedRun {
  readonly attempt: number;
  readonly error: unknown;
}

/** What the route's policy says to an error. */
export function againAfter(route: AnyRoute, failed: FailedRun, random: Random): Again {
  const { retry: plan = RETRY, attempts } = route;
  if (failed.attempt >= attempts || isFinal(route, failed.error)) return {};
  switch (plan.kind) {
    case "backoff":
      return { retry: blocked(pauseMs(plan, failed.attempt, random)) };
    case "list": {
      const last = plan.delaysMs.length;
      const delayMs = plan.delaysMs[Math.min(failed.attempt, last) - 1] ?? 0;
      return { retry: blocked(delayMs), ...(failed.attempt === last ? { isExhausted: true } : {}) };
    }
    case "function":
      return ask(plan.delay, failed, random);
  }
}

function blocked(delayMs: number): Retry {
  return { delayMs, mode: "block" };
}

type Backoff = Extract<RetryPlan, { readonly kind: "backoff" }>;

function pauseMs({ firstMs, maxMs, jitter }: Backoff, attempt: number, random: Random): number {
  const fullMs = Math.min(firstMs * 2 ** Math.min(attempt - 1, 30), maxMs);
  return Math.round(fullMs * (1 - jitter * (1 - random())));
}

function ask(delay: RetryFunction, { attempt, error }: FailedRun, random: Random): Again {
  try {
    const answer: unknown = delay(attempt, error);
    if (answer === undefined) return {};
    const delayMs = durationMs(answer);
    if (delayMs !== undefined) return { retry: blocked(delayMs) };
    throw new TypeError(`retry gave ${String(answer)}, which is no duration such as "10s"`);
  } catch (problem) {
    // Better too often than lost; but a broken function must not make it run without end.
    if (attempt >= WORK_ATTEMPTS) return { problem };
    return { retry: blocked(pauseMs(RETRY as Backoff, attempt, random)), problem };
  }
}

/** Whether another run would meet the same error. An author's function that throws says nothing. */
function isFinal({ noRetry }: AnyRoute, error: unknown): boolean {
  try {
    return noRetry?.(error) === true;
  } catch {
    return false;
  }
}

/** One line for dead letters, histories and lists of attempts. Never shown in chat. */
export function reasonOf(error: unknown): string {
  const text =
    error instanceof AntiphonError
      ? `${error.code}: ${error.message}`
      : error instanceof Error
        ? `${error.name}: ${error.message}`
        : `thrown: ${String(error)}`;
  return shortened(text);
}

export function shortened(text: string): string {
  return text.length > REASON_CHARS_MAX ? `${text.slice(0, REASON_CHARS_MAX - 1)}…` : text;
}

/** What a person reads out to an operator, who finds it in the log. */
export function newErrorId(random: Random): string {
  return Math.floor(random() * 36 ** 6)
    .toString(36)
    .padStart(6, "0");
}
