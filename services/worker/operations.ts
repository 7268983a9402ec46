// `ctx.jobs`, `ctx.queues` and `ctx.schedules`: the queue client over the thread's own connection. Not fenced: an operator's
// hand, and no effect, but for a schedule that is run now.

import type { Queue } from "../queue/queue.ts";
import type { JobsChosen, Jobs, QueueControls } from "../sdk/operations.ts";
import type { ScheduleControls } from "../sdk/schedules.ts";
import { untilAnswered } from "./patience.ts";
import type { RouteRun } from "./route-run.ts";
import type { ThreadParts } from "./thread-parts.ts";

/** Waits with `track` for what the author did not await. */
export type Track = <T>(work: () => Promise<T>) => Promise<T>;

export function jobsOf(run: RouteRun, track: Track): Jobs {
  const call = caller(run, track);
  const count = async (acted: Promise<{ readonly count: number }>): Promise<number> => (await acted).count;
  return {
    find: (id) => call((queue) => queue.find(id)),
    search: (wanted) => call((queue) => queue.search(wanted)),
    cancel: (id) => call((queue) => queue.cancel(id)),
    edit: (id, wanted) => call((queue) => queue.edit(id, wanted)),
    retry: (chosen: JobsChosen) => call((queue) => count(queue.dead.retry(chosen))),
    purge: (chosen: JobsChosen) => call((queue) => count(queue.dead.purge(chosen))),
  };
}

export function queuesOf(run: RouteRun, track: Track): QueueControls {
  const call = caller(run, track);
  return {
    depth: (name) => call((queue) => queue.depth(name)),
    pause: (name, what) => call((queue) => queue.pause(name, what)),
    resume: (name, what) => call((queue) => queue.resume(name, what)),
    limit: (name, limits) => call((queue) => queue.limit(name, limits)),
  };
}

export function schedulesOf(run: RouteRun, track: Track): ScheduleControls {
  const call = caller(run, track);
  return {
    list: () => call(({ schedules }) => schedules.list()),
    pause: (id) => call(({ schedules }) => schedules.pause(id)),
    resume: (id) => call(({ schedules }) => schedules.resume(id)),
    run: (id) => track(() => runSchedule(run, id)),
    set: (id, change) => call(({ schedules }) => schedules.set(id, change)),
    reset: (id) => call(({ schedules }) => schedules.reset(id)),
    add: (id, schedule) => call(({ schedules }) => schedules.add(id, schedule)),
    remove: (id) => call(({ schedules }) => schedules.remove(id)),
  };
}

/** An effect: the same call in another attempt is the same run of the schedule. */
async function runSchedule(run: RouteRun, schedule: string): Promise<{ readonly id: string }> {
  const id = run.effectId({ operation: "enqueue", target: `schedule ${schedule}`, content: "" });
  const { parts, patience } = run.underway;
  const prepared = await untilAnswered(patience, async () => (await queueOf(parts)).schedules.prepareRun(schedule));
  return { id: await run.write({ kind: "child", id, ...prepared }) };
}

function caller(run: RouteRun, track: Track): <T>(work: (queue: Queue) => Promise<T>) => Promise<T> {
  const { parts, patience } = run.underway;
  return (work) => track(() => untilAnswered(patience, async () => work(await queueOf(parts))));
}

const queues = new WeakMap<ThreadParts, Promise<Queue>>();

/** One per thread: it remembers which routes there are. */
function queueOf(parts: ThreadParts): Promise<Queue> {
  const known = queues.get(parts) ?? openQueue(parts);
  queues.set(parts, known);
  return known;
}

/** Loaded here: most handlers never look at queues, and every thread would hold some thirty modules for it. */
async function openQueue({ broker, clock, random }: ThreadParts): Promise<Queue> {
  const { DEFAULT_LIMITS, Queue } = await import("../queue/queue.ts");
  // It enqueues nothing and awaits no results: those have their own ways in a run.
  const limits = DEFAULT_LIMITS;
  const subscriber = (): never => {
    throw new Error("a run awaits no results");
  };
  return new Queue({ ...broker, subscriber, middleware: [], limits, clock, random }, async () => {});
}
