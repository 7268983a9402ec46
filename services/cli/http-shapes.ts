// From what the admin API answers to what the queue client tells: texts become dates again.

import type { HistoryRow, Job, JobStory, Queue } from "../admin/api.ts";
import type { Schedule } from "../admin/api-bot.ts";
import type { Worker } from "../admin/api-workers.ts";
import type {
  HistoryEntry,
  Limits,
  ListedOne,
  QueueInfo,
  ScheduleInfo,
  Shown,
  State,
  WorkerInfo,
} from "../queue/queue.ts";
import type { PriorityClass } from "../sdk/place.ts";

export function infoOf(queue: Queue): QueueInfo {
  const { pauses, limits, oldestMs = 0, weights = [], arrivalsPerSecond = 0, ...row } = queue;
  return {
    ...row,
    oldestMs,
    weights,
    arrivalsPerSecond,
    limits: limits as Limits,
    pauses: pauses.map(({ since, ...pause }) => ({ ...pause, since: new Date(since) })),
  };
}

export function entryOf(line: HistoryRow): HistoryEntry {
  const { at, queue: _, ...row } = line;
  return { ...row, at: new Date(at) };
}

/** Its body is an excerpt here. */
export function listedOf(row: Job): ListedOne {
  const { since, excerpt = "", outcome: _, ...job } = row;
  return { ...plainOf(job), since: new Date(since), body: excerpt };
}

export function shownOf(story: JobStory): Shown {
  const { body, progress, errors, steps } = story;
  return { ...plainOf(story), body, ...(progress !== undefined && { progress }), errors, steps };
}

type Plain = Pick<
  Job,
  | "id"
  | "queue"
  | "state"
  | "kind"
  | "route"
  | "key"
  | "class"
  | "attempts"
  | "tags"
  | "enqueuedAt"
  | "due"
  | "worker"
  | "reason"
>;

/** In the order in which the queue client tells it. */
function plainOf(job: Plain): Omit<ListedOne, "since" | "body"> {
  const { id, queue, state, kind, route, key, tags, attempts, enqueuedAt, due, worker, reason } = job;
  return {
    id,
    queue,
    state: state as State,
    ...(kind !== undefined && { kind: kind as NonNullable<ListedOne["kind"]> }),
    ...(route !== undefined && { route }),
    tags,
    ...(key !== undefined && { key }),
    class: job.class as PriorityClass,
    attempts,
    enqueuedAt: new Date(enqueuedAt),
    ...(due !== undefined && { due: new Date(due) }),
    ...(worker !== undefined && { worker }),
    ...(reason !== undefined && { reason }),
  };
}

export function workerOf(row: Worker): WorkerInfo {
  const { startedAt, rssBytes: _, heapBytes: __, threadsNow: ___, ...worker } = row;
  return { ...worker, ...(startedAt !== undefined && { startedAt: new Date(startedAt) }) };
}

export function scheduleOf({ next, last, ...schedule }: Schedule): ScheduleInfo {
  return {
    ...schedule,
    ...(next !== undefined && { next: new Date(next) }),
    ...(last !== undefined && { last: new Date(last) }),
  };
}
