// From what the broker and the queue client tell to what the API answers: dates as texts, nothing that is undefined.

import type { KeyView } from "../broker/key-view.ts";
import type { HistoryEntry, ListedOne, QueueDepth, QueueInfo, ScheduleInfo, WorkerInfo } from "../queue/queue.ts";
import type { HistoryRow, Job, Keys, Queue } from "./api.ts";
import type { Schedule } from "./api-bot.ts";
import type { Worker } from "./api-workers.ts";

const EXCERPT_CHARS = 400;

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

export function queueRow({ pauses, limits, workers, weights, ...info }: QueueInfo): Queue {
  return {
    ...info,
    workers: [...workers],
    weights: [...weights],
    limits,
    pauses: pauses.map(({ since, ...pause }) => ({ ...pause, since: since.toISOString() })),
  };
}

export function outboxRow(depth: QueueDepth): Queue {
  return { ...depth, workers: [], pauses: [], limits: {} };
}

export function historyRow({ at, kind, routes, ...entry }: HistoryEntry, queue: string): HistoryRow {
  return { ...entry, kind: kind ?? "", routes: [...(routes ?? [])], at: at.toISOString(), queue };
}

export function keysOf({ hottest, blocked, looked, keys, next }: KeyView): Keys {
  const row = ({ untilMs, ...key }: KeyView["hottest"][number]): Keys["hottest"][number] => ({
    ...key,
    ...(untilMs !== undefined && { until: iso(untilMs) }),
  });
  return {
    hottest: hottest.map(row),
    blocked: blocked.map(row),
    looked,
    keys,
    ...(next !== undefined && { cursor: next }),
  };
}

export function jobRow({ body, enqueuedAt, since, due, tags, worker, ...job }: ListedOne): Job {
  return {
    ...job,
    tags: [...tags],
    enqueuedAt: enqueuedAt.toISOString(),
    since: since.toISOString(),
    ...(due !== undefined && { due: due.toISOString() }),
    ...(worker !== undefined && { worker }),
    excerpt: body.slice(0, EXCERPT_CHARS),
  };
}

/** What has finished, as the history knows it. */
export function finishedRow({ at, id, kind, routes, queue, outcome, attempt, ms, worker, error }: HistoryRow): Job {
  const started = iso(Date.parse(at) - ms);
  return {
    id,
    queue,
    state: "finished",
    ...(kind !== "" && { kind }),
    ...(routes[0] !== undefined && { route: routes.join(" ") }),
    class: 1,
    attempts: attempt,
    tags: [],
    enqueuedAt: started,
    since: at,
    worker,
    outcome,
    ...(error !== undefined && { reason: error }),
  };
}

export function workerRow({ startedAt, queues, processes, ...worker }: WorkerInfo): Worker {
  const lists = { queues: [...queues], processes: [...processes] };
  return { ...worker, ...lists, ...(startedAt !== undefined && { startedAt: startedAt.toISOString() }) };
}

export function scheduleRow({ next, last, ...schedule }: ScheduleInfo): Schedule {
  return {
    ...schedule,
    ...(next !== undefined && { next: next.toISOString() }),
    ...(last !== undefined && { last: last.toISOString() }),
  };
}
