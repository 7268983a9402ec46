// What came of one run of one route, and what the route's policy makes of a failure. Pure.

import { backoffMs } from "../runtime/backoff.ts";
import type { Random } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import type { AnyRoute } from "../sdk/routes.ts";

export interface Retry {
  readonly delayMs: number;
  /** Whether the ordering key waits or goes on. */
  readonly mode: "block" | "skip";
}

export type RouteResult =
  | { readonly kind: "done"; readonly note: string; readonly value?: unknown }
  /** Without `retry` for good. */
  | { readonly kind: "failed"; readonly reason: string; readonly retry?: Retry; readonly errorId?: string }
  /** Uncounted, to be repeated: the process stops or Redis is away. */
  | { readonly kind: "interrupted" }
  /** The delivery belongs to another run by now. */
  | { readonly kind: "lost" };

const BACKOFF = { firstMs: 1000, maxMs: 300_000 };
const REASON_CHARS_MAX = 1000;

/** Attempts count from 1. A retry that the author asked for is bounded by the route's attempts too. */
export function retryOf(route: AnyRoute, attempt: number, random: Random): Retry | undefined {
  if (attempt >= route.attempts) return undefined;
  return { delayMs: backoffMs(attempt - 1, BACKOFF, random), mode: "block" };
}

/** One line for dead letters, histories and lists of attempts. Never shown in chat. */
export function reasonOf(error: unknown): string {
  const text =
    error instanceof AntiphonError
      ? `${error.code}: ${error.message}`
      : error instanceof Error
        ? `${error.name}: ${error.message}`
        : `thrown: ${String(error)}`;
  return text.length > REASON_CHARS_MAX ? `${text.slice(0, REASON_CHARS_MAX - 1)}…` : text;
}

/** What a person reads out to an operator, who finds it in the log. */
export function newErrorId(random: Random): string {
  return Math.floor(random() * 36 ** 6)
    .toString(36)
    .padStart(6, "0");
}
