// What a run can see and change of schedules: `ctx.schedules`, which `antiphon/queue` has too. Types only.

import type { Job } from "./context.ts";
import type { Duration } from "./duration.ts";
import type { Misfire, Overlap } from "./timed.ts";

export type ScheduleTimes =
  | { readonly kind: "cron"; readonly spec: string; readonly tz: string }
  | { readonly kind: "every"; readonly periodMs: number };

export interface ScheduleInfo {
  /** The id of its route, or the name that it was added under. */
  readonly id: string;
  /** The route that runs. */
  readonly route: string;
  /** The broker's name, with the tag. */
  readonly queue: string;
  readonly times: ScheduleTimes;
  readonly misfire: Misfire;
  readonly overlap: Overlap;
  /** Absent while it is paused. */
  readonly next?: Date;
  /** The slot that was run last. */
  readonly last?: Date;
  readonly paused: boolean;
  /** Not as the handler defines it. */
  readonly changed: boolean;
  /** No handler defines it. */
  readonly added: boolean;
}

/** What is absent stays as it is. */
export interface ScheduleChange {
  /** Five fields. */
  readonly spec?: string;
  readonly tz?: string;
  /** In place of `spec` and `tz`. */
  readonly every?: Duration;
  readonly misfire?: Misfire;
  readonly overlap?: Overlap;
}

export interface NewSchedule extends ScheduleChange {
  /** What each slot enqueues. */
  readonly job: Job | string;
  readonly input?: unknown;
  /** The broker's name, with the tag. Default: the job's. */
  readonly queue?: string;
}

/** Edits hold within a second, for whichever master leads, and survive deploys. All but `list` throw SCHEDULE_UNKNOWN. */
export interface ScheduleControls {
  list(): Promise<ScheduleInfo[]>;
  /** It fires no more; slots that pass meanwhile are not made up for. */
  pause(id: string): Promise<void>;
  resume(id: string): Promise<void>;
  /** Runs it now, besides its slots: once for each call; in a run, not again in its other attempts. Answers the delivery's id. */
  run(id: string): Promise<{ readonly id: string }>;
  /** Other times or policies. @throws CRON_INVALID */
  set(id: string, change: ScheduleChange): Promise<void>;
  /** As the handler defines it, and not paused. */
  reset(id: string): Promise<void>;
  /** A schedule that no handler defines. Adding it again replaces it. @throws CRON_INVALID, ROUTE_UNKNOWN, INPUT_INVALID */
  add(id: string, schedule: NewSchedule): Promise<void>;
  /** Of what was added. */
  remove(id: string): Promise<void>;
}
