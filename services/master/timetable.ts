// The schedules in force: what the handlers define, with what operators changed or added. Pure.

import type { ScheduleDescription, ScheduleEdit } from "../broker/schedules.ts";
import { type Times, timesProblems } from "../runtime/cron-times.ts";
import type { CronRoute, EveryRoute } from "../sdk/routes.ts";
import type { Misfire, Overlap } from "../sdk/timed.ts";
import { definitionOf } from "./slots.ts";

/** Of a route that comes due by itself, what is needed besides its function. */
export type TimedRoute = Times & {
  readonly id: string;
  /** Absent: `default`. */
  readonly queue?: string;
  readonly class?: 0 | 1 | 2 | 3;
  readonly misfire?: Misfire;
  readonly overlap?: Overlap;
};

/** Without its functions a route can leave its process. */
export function scheduleOf(route: CronRoute | EveryRoute): TimedRoute {
  const { id, queue, class: priority, misfire, overlap } = route;
  const rest = {
    id,
    ...(queue !== undefined && { queue }),
    ...(priority !== undefined && { class: priority }),
    ...(misfire !== undefined && { misfire }),
    ...(overlap !== undefined && { overlap }),
  };
  return route.kind === "cron"
    ? { kind: "cron", ...rest, spec: route.spec, tz: route.tz }
    : { kind: "every", ...rest, periodMs: route.periodMs };
}

export interface Entry extends ScheduleDescription {
  readonly id: string;
  readonly isPaused: boolean;
}

export interface Timetable {
  readonly entries: readonly Entry[];
  /** Edits that cannot be heeded; what they wanted to change is as the handler defines it. */
  readonly invalid: readonly { readonly id: string; readonly problem: string }[];
}

export function timetable(routes: readonly TimedRoute[], edits: ReadonlyMap<string, ScheduleEdit>): Timetable {
  const invalid: { id: string; problem: string }[] = [];
  const sound = (id: string, edit: ScheduleEdit | undefined): ScheduleEdit => {
    const [problem] = edit?.times === undefined ? [] : timesProblems(edit.times);
    if (problem === undefined) return edit ?? {};
    invalid.push({ id, problem });
    const { times: _, ...rest } = edit ?? {};
    return rest;
  };
  const own = new Set(routes.map(({ id }) => id));
  const defined = routes.map((route) => entryOf(route, sound(route.id, edits.get(route.id))));
  const added = [...edits].flatMap(([id, edit]) => (own.has(id) ? [] : addedEntry(id, sound(id, edit))));
  return { entries: [...defined, ...added], invalid };
}

/** When an entry begins anew: its times are others, or it was paused until now. */
export function beginningOf(entry: Entry): string {
  return entry.isPaused ? "paused" : definitionOf(entry.times);
}

function entryOf(route: TimedRoute, edit: ScheduleEdit): Entry {
  return {
    id: route.id,
    route: route.id,
    times: edit.times ?? timesOf(route),
    queue: route.queue ?? "default",
    misfire: edit.misfire ?? route.misfire ?? "latest",
    overlap: edit.overlap ?? route.overlap ?? "allow",
    isPaused: edit.paused ?? false,
    ...(route.class !== undefined && { class: route.class }),
  };
}

/** None for an edit whose route is gone: it waits for the route to come back. */
function addedEntry(id: string, { job, times, misfire = "latest", overlap = "allow", paused }: ScheduleEdit): Entry[] {
  if (job === undefined || times === undefined) return [];
  return [{ id, route: job.route, times, queue: job.queue, misfire, overlap, job, isPaused: paused ?? false }];
}

function timesOf(route: TimedRoute): Times {
  return route.kind === "cron"
    ? { kind: "cron", spec: route.spec, tz: route.tz }
    : { kind: "every", periodMs: route.periodMs };
}
