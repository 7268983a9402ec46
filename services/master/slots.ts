// When a timed route comes due: cron texts in their zones, and periods. Pure.

import { Cron } from "croner";
import type { CronRoute, EveryRoute } from "../sdk/routes.ts";

type CronTimes = Pick<CronRoute, "kind" | "id" | "spec" | "tz">;
type EveryTimes = Pick<EveryRoute, "kind" | "id" | "periodMs">;
/** Of a route that comes due by itself: what is needed to know when. */
export type TimedRoute = CronTimes | EveryTimes;

/** Changes exactly when the times change. */
export function definitionOf(route: TimedRoute): string {
  return route.kind === "cron" ? `cron ${route.tz} ${route.spec}` : `every ${route.periodMs}`;
}

/** The first slot after `afterMs`, which for a period is counted from `fromMs`; undefined when there will be none. */
export function slotAfter(route: TimedRoute, afterMs: number, fromMs = afterMs): number | undefined {
  if (route.kind === "every") {
    return fromMs + (Math.floor((afterMs - fromMs) / route.periodMs) + 1) * route.periodMs;
  }
  return cronOf(route).nextRun(new Date(afterMs))?.getTime();
}

function cronOf(route: CronTimes): Cron {
  return new Cron(route.spec, { timezone: route.tz, mode: "5-part", paused: true });
}

export interface Due {
  /** The latest slot that is due. */
  readonly latestMs: number;
  /** How many are due; of a cron text at most `COUNT_MAX`. */
  readonly slots: number;
  readonly nextMs: number | undefined;
}

/** Each costs a fraction of a millisecond of the main thread. */
const COUNT_MAX = 50;

/** Of the slots from `firstMs` on that are due at `nowMs`: the latest, how many, and which comes next. */
export function dueSlots(route: TimedRoute, firstMs: number, nowMs: number): Due {
  if (route.kind === "every") {
    const steps = Math.max(0, Math.floor((nowMs - firstMs) / route.periodMs));
    const latestMs = firstMs + steps * route.periodMs;
    return { latestMs, slots: steps + 1, nextMs: latestMs + route.periodMs };
  }
  const cron = cronOf(route);
  // croner looks for runs before the whole second that it is given.
  const before = new Date(Math.floor(nowMs / 1000) * 1000 + 1000);
  const due = cron.previousRuns(COUNT_MAX, before).filter((run) => run.getTime() >= firstMs);
  const latestMs = due[0]?.getTime() ?? firstMs;
  return { latestMs, slots: Math.max(1, due.length), nextMs: cron.nextRun(new Date(latestMs))?.getTime() };
}
