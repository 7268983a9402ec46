// When a schedule comes due: cron texts in their zones, and periods. Pure.

import { Cron } from "croner";
import type { Times } from "../runtime/cron-times.ts";

/** Changes exactly when the times change. */
export function definitionOf(times: Times): string {
  return times.kind === "cron" ? `cron ${times.tz} ${times.spec}` : `every ${times.periodMs}`;
}

/** The first slot after `afterMs`, which for a period is counted from `fromMs`; undefined when there will be none. */
export function slotAfter(times: Times, afterMs: number, fromMs = afterMs): number | undefined {
  if (times.kind === "every") {
    return fromMs + (Math.floor((afterMs - fromMs) / times.periodMs) + 1) * times.periodMs;
  }
  return cronOf(times).nextRun(new Date(afterMs))?.getTime();
}

function cronOf(times: Times & { readonly kind: "cron" }): Cron {
  return new Cron(times.spec, { timezone: times.tz, mode: "5-part", paused: true });
}

export interface Due {
  /** The latest that are due, at least one and at most `SLOTS_MAX`, in order. */
  readonly slots: readonly [number, ...number[]];
  readonly nextMs: number | undefined;
}

/** Each costs a fraction of a millisecond of the main thread. */
export const SLOTS_MAX = 100;

/** The slots from `firstMs` on that are due at `nowMs`. */
export function dueSlots(times: Times, firstMs: number, nowMs: number): Due {
  if (times.kind === "every") {
    const { periodMs } = times;
    const steps = Math.max(0, Math.floor((nowMs - firstMs) / periodMs));
    const count = Math.min(steps + 1, SLOTS_MAX);
    const slots = Array.from({ length: count }, (_, at) => firstMs + (steps + 1 - count + at) * periodMs);
    return { slots: slots as [number, ...number[]], nextMs: firstMs + (steps + 1) * periodMs };
  }
  const cron = cronOf(times);
  // croner looks for runs before the whole second that it is given.
  const before = new Date(Math.floor(nowMs / 1000) * 1000 + 1000);
  const runs = cron.previousRuns(SLOTS_MAX, before).map((run) => run.getTime());
  const [first = firstMs, ...rest] = runs.filter((run) => run >= firstMs).toReversed();
  return { slots: [first, ...rest], nextMs: cron.nextRun(new Date(rest.at(-1) ?? first))?.getTime() };
}
