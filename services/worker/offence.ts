// Why main ends a run that will not end: over its time, over its memory, or cancelled. And who is to blame when the thread goes.

import type { ActiveRun } from "./active-run.ts";
import type { AbortReason, Failure } from "./protocol.ts";
import type { Started } from "./slots.ts";

/** How long an aborted run may go on before its thread is ended. */
export const GRACE_MS = 1000;

export type Offence = Extract<AbortReason, "timeout" | "heap" | "cancel">;

/** A run that was aborted: which one, why, and when (monotonic ms). */
export interface Aborted {
  readonly started: Started;
  readonly offence: Offence;
  readonly atMs: number;
}

export interface Look {
  /** Of this machine: threads mark by it when a route began. */
  readonly nowMs: number;
  /** Whether the thread's heap is above so much, and was not only full of garbage. */
  readonly isHeapOver: (mb: number) => boolean;
}

export function offenceOf(run: ActiveRun, started: Started, { nowMs, isHeapOver }: Look): Offence | undefined {
  if (run.isCancelled(started.serial)) return "cancel";
  if (nowMs - started.sinceMs > started.timeoutMs) return "timeout";
  return started.maxHeapMb !== undefined && isHeapOver(started.maxHeapMb) ? "heap" : undefined;
}

export function isSame(aborted: Aborted | undefined, started: Started): boolean {
  return aborted?.started.serial === started.serial && aborted.started.sinceMs === started.sinceMs;
}

const DETAIL = `It did not end within ${GRACE_MS} ms of being aborted.`;

/** Only those that did not end within the grace are to blame; the others just shared the thread. A cancelled one never is. */
export function failureOf(aborted: Aborted | undefined, nowMonotonicMs: number): Failure | undefined {
  if (aborted === undefined || aborted.offence === "cancel" || nowMonotonicMs - aborted.atMs < GRACE_MS)
    return undefined;
  const { timeoutMs: afterMs, route, maxHeapMb = 0 } = aborted.started;
  const which = { afterMs, ...(route !== undefined && { route }) };
  if (aborted.offence === "timeout") return { code: "RUN_TIMEOUT", detail: DETAIL, ...which };
  return { code: "RUN_HEAP", detail: `It may have ${maxHeapMb} MB. ${DETAIL}`, ...which };
}

/** A thread that died by itself: of those that had started nobody knows which one it was. */
export function crashOf(started: Started | undefined, reason: string, nowMs: number): Failure | undefined {
  if (started === undefined) return undefined;
  return { code: "RUN_CRASHED", detail: reason, afterMs: Math.max(0, nowMs - started.sinceMs) };
}
