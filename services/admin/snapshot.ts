// What the Now page shows, read from Redis at one moment. It costs 7 commands, one more for each queue that holds deliveries and
// three for each unit, whatever is in the queues: names of the queues, orders, masters, time, routes, two INFOs.

import type { BrokerContext } from "../broker/connection.ts";
import { type QueueFigures, queueFigures } from "../broker/figures.ts";
import { ordersOf } from "../broker/orders.ts";
import { podsOf } from "../broker/pods.ts";
import { readRoutes } from "../broker/routes.ts";
import { DEFAULT_POOL } from "../broker/served.ts";
import { workloadOf } from "../broker/workload.ts";
import { mastersOf } from "../leader/masters.ts";
import { type Seat, seats } from "../leader/seats.ts";
import type { QueueNow, Snapshot, UnitNow } from "./api.ts";

export interface SnapshotParts {
  readonly context: BrokerContext;
  /** A master that was not heard of for so long is gone. */
  readonly leaseMs: number;
}

const QUEUES_MAX = 50;
const WORKERS_MAX = 100;
const ERRORS_MAX = 20;

export async function takeSnapshot({ context, leaseMs }: SnapshotParts): Promise<Snapshot> {
  const { client, keys } = context;
  const [figures, orders, routes, units, server, memory, [seconds = 0, micros = 0]] = await Promise.all([
    queueFigures(context),
    ordersOf(context),
    readRoutes(context),
    mastersOf(client, keys, leaseMs).then((masters) => seats(client, keys, { units: [], masters })),
    client.info("server"),
    client.info("memory"),
    client.time(),
  ]);
  const { queues, pools } = workloadOf(figures);
  const drains = new Map(queues.map(({ name, drainSeconds }) => [name, drainSeconds]));
  return {
    at: new Date(Number(seconds) * 1000 + Number(micros) / 1000).toISOString(),
    redis: {
      ok: true,
      detail: "",
      version: fieldOf(server, /^(?:valkey|redis)_version:(\S+)/m),
      usedBytes: Number(fieldOf(memory, /^used_memory:(\d+)/m)),
    },
    totals: totalsOf(figures),
    queues: fullest(figures).map((queue) => queueOf(queue, drains.get(queue.name) ?? 0)),
    pools: pools.map(({ name, required, workers }) => ({ name, required, workers })),
    units: units.map(unitOf),
    workers: workersOf(figures, orders),
    lastErrors: errorsOf(figures, routes),
  };
}

function fieldOf(info: string, pattern: RegExp): string {
  return pattern.exec(info)?.[1] ?? "";
}

function sum(figures: readonly QueueFigures[], of: (queue: QueueFigures) => number): number {
  return figures.reduce((total, queue) => total + of(queue), 0);
}

function totalsOf(figures: readonly QueueFigures[]): Snapshot["totals"] {
  const finished = sum(figures, (queue) => queue.finishedPerSecond);
  const ran = figures.filter((queue) => queue.meanRunMs !== null);
  const weighted = sum(ran, (queue) => (queue.meanRunMs ?? 0) * queue.finishedPerSecond);
  return {
    ready: sum(figures, (queue) => queue.ready),
    claimed: sum(figures, (queue) => queue.claimed),
    delayed: sum(figures, (queue) => queue.delayed),
    dead: sum(figures, (queue) => queue.dead),
    arrivalsPerSecond: rounded(sum(figures, (queue) => queue.arrivalsPerSecond)),
    finishedPerSecond: rounded(finished),
    failedPerSecond: rounded(sum(figures, (queue) => queue.failedPerSecond)),
    meanRunMs: ran.length === 0 || finished === 0 ? null : rounded(weighted / finished),
    oldestMs: Math.max(0, ...figures.map((queue) => queue.oldestMs)),
  };
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

/** By their names; where there are too many, those with most in them. */
function fullest(figures: readonly QueueFigures[]): readonly QueueFigures[] {
  if (figures.length <= QUEUES_MAX) return figures;
  const most = figures.toSorted((a, b) => b.ready + b.claimed + b.dead - (a.ready + a.claimed + a.dead));
  return most.slice(0, QUEUES_MAX).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function queueOf(queue: QueueFigures, drainSeconds: number): QueueNow {
  const { name, ready, claimed, delayed, dead, oldestMs, meanRunMs, isPaused } = queue;
  return {
    name,
    ready,
    claimed,
    delayed,
    dead,
    oldestMs,
    arrivalsPerSecond: rounded(queue.arrivalsPerSecond),
    finishedPerSecond: rounded(queue.finishedPerSecond),
    failedPerSecond: rounded(queue.failedPerSecond),
    meanRunMs: meanRunMs === null ? null : rounded(meanRunMs),
    drainSeconds: Number.isFinite(drainSeconds) ? rounded(drainSeconds) : null,
    paused: isPaused,
    workers: queue.claimers.length,
  };
}

function unitOf({ unit, leader, epoch, ageMs }: Seat): UnitNow {
  return {
    unit,
    leader: leader === undefined ? null : leader.slice(0, leader.lastIndexOf("/")),
    epoch: epoch ?? null,
    heldForMs: ageMs ?? null,
  };
}

function workersOf(
  figures: readonly QueueFigures[],
  orders: Awaited<ReturnType<typeof ordersOf>>,
): Snapshot["workers"] {
  const registered = figures.flatMap(({ name, claimers }) => claimers.map((one) => ({ ...one, queue: name })));
  return podsOf(registered)
    .slice(0, WORKERS_MAX)
    .map(({ pod, pool = DEFAULT_POOL, slots = 0, claimed }) => {
      return { pod, pool, slots, claimed, order: orders.get(pod) ?? "" };
    });
}

function errorsOf(figures: readonly QueueFigures[], routes: ReadonlyMap<number, string>): Snapshot["lastErrors"] {
  return figures
    .flatMap(({ name, lastFailure }) => (lastFailure === undefined ? [] : [{ queue: name, ...lastFailure }]))
    .sort((a, b) => b.atMs - a.atMs)
    .slice(0, ERRORS_MAX)
    .map(({ atMs, queue, route, id, message }) => ({
      at: new Date(atMs).toISOString(),
      queue,
      route: routes.get(route) ?? "",
      id,
      message,
    }));
}
