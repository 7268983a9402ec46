// How many workers each pool needs for the work there is: time to drain, solved for the number of workers.
//
//   n = ceil( Σ over its queues of (λ·s̄ + B·s̄ / T) · a / (c·u) )
//
//   λ arrivals per second   s̄ mean run time   B what waits, is due or runs   T time to drain a backlog   u how full slots may be
//   c deliveries that one worker really runs at once: its slots, or what its threads can do of them when runs compute
//   a 1, or up to 2 when what is next in line has been ready for longer than AGE_MS: then the figures were too good
//
// Not promised: that it is steady. Whoever scales by it waits before it scales down. Not seen: limits of single routes.

import type { Share, WorkerFacts } from "./claims.ts";
import type { BrokerContext } from "./connection.ts";
import { queueFigures, type QueueFigures } from "./figures.ts";
import { type OutboxLoad, outboxLoads } from "./outbox-loads.ts";
import { DEFAULT_POOL, kindOf, servedAs, type Serves } from "./served.ts";

const DRAIN_S = 10;
const FULL = 0.8;
/** Three times the time to drain: a new pod may take that long to help. */
const AGE_MS = 30_000;
const AGE_FACTOR_MAX = 2;
/** Of a queue that nobody has run yet. Low: a beat later it is known, and pods that were not needed stay for minutes. */
const RUN_MS = 100;
const EVERYTHING: Serves = {
  queues: [{ queue: "*", weight: 1 }],
  tags: { all: true, untagged: false, only: [], never: [] },
};
/** Of a worker that nobody has seen yet: the defaults on two cores. */
const SHARES: Readonly<Record<"chat" | "work", Share>> = {
  chat: { threads: 1, slots: 8 },
  work: { threads: 1, slots: 24 },
};

export interface QueueLoad extends Pick<
  QueueFigures,
  "name" | "ready" | "claimed" | "delayed" | "dead" | "oldestMs" | "arrivalsPerSecond" | "meanRunMs"
> {
  /** Until what waits and runs now is done by the workers that there are; Infinity when there are none. */
  readonly drainSeconds: number;
  /** Something waits or runs, and no living worker serves it. */
  readonly isUnserved: boolean;
}

export interface PoolLoad {
  readonly name: string;
  /** Workers that it should have; at least 1. */
  readonly required: number;
  /** That live. */
  readonly workers: number;
  /** Whose work counts for it. */
  readonly queues: readonly string[];
}

export interface Workload {
  /** Of all queues but outboxes. */
  readonly queues: readonly QueueLoad[];
  /** Those with a living worker; when nobody lives, the pool `default`. By their names. */
  readonly pools: readonly PoolLoad[];
}

/** With what waits to be said in chat, which no worker is needed for. */
export interface WholeLoad extends Workload {
  readonly outboxes: readonly OutboxLoad[];
}

/** What one queue asks of one pool. */
export interface Demand {
  readonly arrivalsPerSecond: number;
  readonly runMs: number;
  /** Waiting, due, running. */
  readonly backlog: number;
  /** So many of these could be run at the same time. */
  readonly sideBySide: number;
  /** How long what is next in line has been ready. */
  readonly ageMs: number;
  /** Deliveries that one worker runs at once. */
  readonly concurrency: number;
  /** More than so many may not run at once, whoever runs them. */
  readonly limit?: number;
}

interface Pool {
  readonly name: string;
  readonly workers: readonly WorkerFacts[];
}

/** Figures of the whole bot, read anew: a few round trips, whatever there is in the queues. */
export async function workload(context: BrokerContext): Promise<Workload> {
  return workloadOf(await queueFigures(context));
}

export async function wholeLoad(context: BrokerContext): Promise<WholeLoad> {
  const [load, outboxes] = await Promise.all([workload(context), outboxLoads(context)]);
  return { ...load, outboxes };
}

export function workloadOf(figures: readonly QueueFigures[]): Workload {
  const pools = poolsOf(figures);
  const owners = new Map(figures.map((queue) => [queue, ownersOf(queue.name, pools)]));
  return {
    queues: figures.map((queue) => loadOf(queue, owners.get(queue) ?? [])),
    pools: pools.map((pool) => {
      const own = figures.filter((queue) => owners.get(queue)?.includes(pool));
      const demands = own.map((queue) => demandOf(queue, pool, owners.get(queue)?.length ?? 1));
      const ofKind = Map.groupBy(demands, (_, index) => kindOf(own[index]?.name ?? ""));
      const required = Math.max(1, ...[...ofKind.values()].map(requiredWorkers));
      return { name: pool.name, required, workers: pool.workers.length, queues: own.map(({ name }) => name) };
    }),
  };
}

/** For queues that share slots; at least 1. */
export function requiredWorkers(demands: readonly Demand[]): number {
  const workers = demands.reduce((sum, demand) => sum + slotsNeeded(demand) / (demand.concurrency * FULL), 0);
  return Math.max(1, Math.ceil(workers - 1e-9));
}

/**
 * Where deliveries stand behind others of their keys, no more workers are of use than there are keys. Of a key whose first
 * deliveries are claimed each of them counts: to tell them apart would cost as much as reading all claims.
 */
function slotsNeeded(demand: Demand): number {
  const { arrivalsPerSecond, runMs, backlog, sideBySide, ageMs, limit = Number.POSITIVE_INFINITY } = demand;
  const late = ageMs > AGE_MS ? Math.min(AGE_FACTOR_MAX, ageMs / AGE_MS) : 1;
  const needed = ((arrivalsPerSecond + backlog / DRAIN_S) * runMs * late) / 1000;
  return Math.min(needed, limit, backlog > sideBySide ? sideBySide : Number.POSITIVE_INFINITY);
}

/** Where several pools name a queue they share its work. */
function demandOf(queue: QueueFigures, pool: Pool, owners: number): Demand {
  const { ready, claimed, sideBySide, typicalMs, arrivalsPerSecond, meanRunMs, isPaused, limits } = queue;
  const runMs = meanRunMs ?? RUN_MS;
  const { concurrency = Number.POSITIVE_INFINITY, perSecond = Number.POSITIVE_INFINITY } = limits;
  return {
    arrivalsPerSecond: isPaused ? 0 : arrivalsPerSecond / owners,
    runMs,
    backlog: (isPaused ? claimed : ready + claimed) / owners,
    sideBySide: sideBySide / owners,
    ageMs: isPaused ? 0 : typicalMs,
    concurrency: concurrencyOf(queue, pool),
    limit: Math.min(concurrency, (perSecond * runMs) / 1000) / owners,
  };
}

/** What its slots hold; of runs that compute, what its threads can do. Never less than its threads. */
function concurrencyOf({ name, slotsPerBusyThread }: QueueFigures, { workers }: Pool): number {
  const shares = workers.map((facts) => facts.shares?.[kindOf(name)] ?? facts);
  const mean = (of: (share: Share) => number): number =>
    shares.length === 0 ? of(SHARES[kindOf(name)]) : shares.reduce((sum, share) => sum + of(share), 0) / shares.length;
  const slots = Math.max(1, mean((share) => share.slots) || 0);
  const threads = Math.max(1, mean((share) => share.threads) || 0);
  return Math.min(slots, threads * Math.max(1, slotsPerBusyThread ?? slots));
}

function loadOf(queue: QueueFigures, owners: readonly Pool[]): QueueLoad {
  const { name, ready, claimed, delayed, dead, oldestMs, arrivalsPerSecond, meanRunMs } = queue;
  const slots = owners.reduce((sum, pool) => sum + pool.workers.length * concurrencyOf(queue, pool), 0);
  const busyS = ((ready + claimed) * (meanRunMs ?? RUN_MS)) / 1000;
  const drainSeconds = ready + claimed === 0 ? 0 : busyS / slots;
  const isUnserved = ready + claimed > 0 && queue.claimers.length === 0;
  return { name, ready, claimed, delayed, dead, oldestMs, arrivalsPerSecond, meanRunMs, drainSeconds, isUnserved };
}

/** A process serves many queues and counts once. */
function poolsOf(figures: readonly QueueFigures[]): Pool[] {
  const processes = new Map(figures.flatMap(({ workers }) => workers.map((facts) => [facts.process, facts] as const)));
  const pools = Map.groupBy(processes.values(), ({ pool = DEFAULT_POOL }) => pool);
  if (pools.size === 0) return [{ name: DEFAULT_POOL, workers: [] }];
  return [...pools].map(([name, workers]) => ({ name, workers })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A queue belongs to the pools that name it; what no pool names belongs to those that serve all others. */
function ownersOf(queue: string, pools: readonly Pool[]): Pool[] {
  const serves = ({ workers }: Pool) =>
    (workers.length === 0 ? [EVERYTHING] : workers.map((facts) => facts.serves ?? EVERYTHING)).map((told) =>
      servedAs(told, queue),
    );
  const named = pools.filter((pool) => serves(pool).some((served) => served?.isNamed));
  return named.length > 0 ? named : pools.filter((pool) => serves(pool).some((served) => served !== undefined));
}
