// The handler side of a worker: threads, queues, heartbeat, sweep and drain, as a list of parts.

import { adapterKind } from "../adapters/index.ts";
import { type AdapterFacts, adapterFacts } from "../adapters/load.ts";
import type { WorkerFacts } from "../broker/claims.ts";
import type { BrokerContext } from "../broker/connection.ts";
import { keepOrders, orderWorker } from "../broker/orders.ts";
import { ServerClock } from "../broker/server-clock.ts";
import type { Config } from "../config/config.ts";
import { reportsOf } from "../config/reports.ts";
import { tracesOf } from "../config/tracing.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { Loop } from "../runtime/loop.ts";
import { type Part, startAll, stopAll } from "../runtime/part.ts";
import { VERSION } from "../runtime/version.ts";
import type { Emit } from "../telemetry/events.ts";
import type { Meter } from "../telemetry/meter.ts";
import type { Report } from "../telemetry/report.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import type { Connections } from "./connections.ts";
import { drain } from "./drain.ts";
import { factsOf } from "./facts.ts";
import { heartbeat } from "./heartbeat.ts";
import { Orders } from "./orders.ts";
import { Pool } from "./pool.ts";
import type { ThreadConfig, ThreadData } from "./protocol.ts";
import type { Pulse } from "./pulse.ts";
import { Quarantine } from "./quarantine.ts";
import { kindOf, QueueChoice, type WorkKind } from "./queue-choice.ts";
import { QueueNames } from "./queue-names.ts";
import { ServedQueue } from "./served-queue.ts";
import { ServedQueues } from "./served-queues.ts";
import { sharesOf } from "./shares.ts";
import { SlotMemory } from "./slots.ts";
import { Turns } from "./turns.ts";
import type { Threaded } from "./vitals.ts";
import { childSpawner, heardSpawn, type MemoryLimits, type Spawn, threadSpawner } from "./threads.ts";

export interface HandlingOptions {
  readonly config: Config;
  readonly cwd: string;
  /** Left out: those that the configuration names, which then come with Antiphon. */
  readonly adapters?: readonly AdapterFacts[];
  readonly pod: string;
  readonly connections: Connections;
  readonly broker: BrokerContext;
  readonly database: number;
  readonly clockOffset: Float64Array;
  /** Of each handler thread and quarantine child. */
  readonly memory?: MemoryLimits;
  /** Where handlers run, if not in threads and child processes of their own: for the test kit. */
  readonly spawn?: Spawn;
  readonly pulse: Pulse;
  /** Parts that neither wait for the threads nor the threads for them. */
  readonly beside: readonly Part[];
  /** The drain begins. */
  readonly draining: () => void;
  /** An operator wants this worker to stop. */
  readonly toStop?: () => void;
  /** A part that tells of what has threads, of the process of this random name. */
  readonly told?: (process: string, threaded: readonly Threaded[]) => Part;
  /** Aborts when the worker is stopped, also before it has started. */
  readonly stopping: AbortSignal;
  readonly emit: Emit;
  /** Of the process; nobody asks for its counts where left out. */
  readonly meter?: Meter;
  /** Takes what threads report, for error trackers that are functions. */
  readonly report?: ((report: Report) => void) | undefined;
  /** Of this thread. */
  readonly tracing?: Tracing | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

const SWEEP_MS = 250;
const TEARDOWN_MS = 3000;
const BESIDE_MS = 3000;
/** A young generation above this is memory that a flood fills before it is collected. */
const MEMORY: MemoryLimits = { oldMb: 256, youngMb: 8 };
const SERIAL_MAX = 2 ** 31 - 1;

/**
 * Started from first to last: `beside` starts while the threads load, for it must answer although Redis is away. Stopped in
 * the reverse order: drain, then beats end, then teardown in the threads, then `beside`, then goodbye to Redis.
 */
export function handlingParts(options: HandlingOptions): Part[] {
  const { connections, beside, pulse, stopping, draining, config, emit, clock, random, memory = MEMORY } = options;
  const spawn = heardSpawn(options.spawn ?? childSpawner(memory), options);
  const quarantine = new Quarantine({ data: threadBase(options), spawn, emit, clock, random });
  const choice = new QueueChoice(config);
  const pools = poolsOf(options, choice, quarantine);
  const { facts, process } = factsOf(options, pools);
  const served = queuesOf(options, { choice, facts, pools });
  const queues = served.all;
  connections.onReady(() => queues.forEach((queue) => queue.reconnected()));
  const both = [...pools.values()];
  const { broker, toStop = () => {}, told } = options;
  const orders = new Orders({ queues: served, stop: toStop, keep: () => keepOrders(broker), emit, clock });
  return [
    ...(told === undefined ? [] : [told(process, [...both, quarantine])]),
    sweep(options, both, quarantine),
    part({ name: "goodbye", stop: () => bye(options, queues, orders) }),
    threads({ pools: both, quarantine, beside, stopping }),
    part({ name: "contact", start: () => connections.fit(stopping) }),
    part({ name: "fetchers", start: () => served.start(), stop: () => served.stop() }),
    heartbeat({ queues, orders, pulse, isRedisThere: () => connections.isThere, emit, clock, random }),
    part({ name: "registration", start: () => all(queues, (queue) => queue.registered(stopping)) }),
    part({
      name: "drain",
      start: async () => pulse.phase("running"),
      stop: async () => {
        pulse.phase("draining");
        draining();
        await drain({ queues, pools: both, drainMs: config.drainMs, emit, clock });
      },
    }),
    served.discovery(),
  ];
}

/** With that an order to stop is carried out: what starts under this name later must not stop too. */
async function bye({ broker, pod }: HandlingOptions, queues: readonly ServedQueue[], orders: Orders): Promise<void> {
  await all(queues, (queue) => queue.bye());
  if (orders.present === "stop") await orderWorker(broker, pod, null);
}

interface ThreadsOptions extends Pick<HandlingOptions, "beside" | "stopping"> {
  readonly pools: readonly Pool[];
  readonly quarantine: Quarantine;
}

function threads({ pools, quarantine, beside, stopping }: ThreadsOptions): Part {
  const stop = async (): Promise<void> => {
    await Promise.all([quarantine.stop(), ...pools.map((pool) => pool.stop(TEARDOWN_MS))]);
    await stopAll(beside, BESIDE_MS);
  };
  const start = async (): Promise<void> => {
    try {
      await Promise.all([startAll(beside), ...pools.map((pool) => pool.start(stopping))]);
    } catch (error) {
      await stop(); // what has failed has stopped, what has not is still starting
      throw error;
    }
  };
  return { name: "threads", start, stop };
}

function sweep(options: HandlingOptions, pools: readonly Pool[], quarantine: Quarantine): Part {
  const { pulse, clock, random, emit } = options;
  return new Loop({
    name: "sweep",
    intervalMs: SWEEP_MS,
    tick: async () => {
      for (const swept of [...pools, quarantine]) swept.sweep();
      const sum = (of: (pool: Pool) => number): number => pools.reduce((total, pool) => total + of(pool), 0);
      pulse.tick(clock.now(), { slots: sum((pool) => pool.slots), busy: sum((pool) => pool.busy) });
    },
    onError: (error) => emit("loop.failed", { loop: "sweep", error }),
    clock,
    random,
  });
}

type Pools = ReadonlyMap<WorkKind, Pool>;

/** Messages have threads of their own; everything else shares. */
function poolsOf(options: HandlingOptions, { kinds }: QueueChoice, quarantine: Quarantine): Pools {
  const { config, emit, clock, random, memory = MEMORY } = options;
  const shares = sharesOf({ threads: config.workerThreads, concurrency: config.workerConcurrency, kinds });
  const base = threadBase(options);
  const spawn = heardSpawn(options.spawn ?? threadSpawner(memory), options);
  let index = 0;
  const pool = (kind: WorkKind): Pool => {
    const threads = shares[kind].map((slots): ThreadData => {
      return { ...base, kind, index: index++, slots, slotMemory: SlotMemory.allocate(slots) };
    });
    const wear = { jobs: config.recycleJobs, heapMb: config.recycleHeapMb };
    return new Pool({ kind, threads, spawn, wear, quarantine, emit, clock, random });
  };
  return new Map([...kinds].toSorted().map((kind) => [kind, pool(kind)]));
}

interface Serving {
  readonly choice: QueueChoice;
  readonly facts: () => Promise<WorkerFacts>;
  readonly pools: Pools;
}

function queuesOf(options: HandlingOptions, { choice, facts, pools }: Serving): ServedQueues {
  const { config, connections, pod, emit, tracing, clock, random } = options;
  const { historyLength, historyHours } = config;
  const broker = { ...options.broker, historyLength, historyAgeMs: historyHours * 3_600_000 };
  const clientId = (): Promise<string> => connections.clientId();
  const { bells } = connections;
  const serverClock = new ServerClock(clock);
  const common = {
    broker,
    bells,
    clientId,
    facts,
    serverClock,
    serials: numbering(),
    pod,
    emit,
    tracing,
    clock,
    random,
  };
  const turns = new Map([...pools].map(([kind, pool]) => [kind, turnsOf(pool)]));
  const names = new QueueNames(broker);
  return new ServedQueues({
    choice,
    open: (queue, weight) => {
      const [pool, turnsHere] = [pools.get(kindOf(queue)), turns.get(kindOf(queue))];
      if (pool === undefined || turnsHere === undefined) throw new Error(`no threads for ${queue}`);
      return new ServedQueue({ ...common, queue, weight, pool, turns: turnsHere });
    },
    look: () => names.look(),
    isRedisThere: () => connections.isThere,
    emit,
    clock,
    random,
  });
}

function turnsOf(pool: Pool): Turns {
  const turns = new Turns(pool);
  pool.onRoom = () => turns.offer();
  return turns;
}

function numbering(): (count: number) => number {
  let serial = 0;
  return (count) => {
    if (serial + count > SERIAL_MAX) serial = 0;
    const first = serial + 1;
    serial += count;
    return first;
  };
}

function threadBase(options: HandlingOptions): Omit<ThreadData, "kind" | "index" | "slots" | "slotMemory"> {
  const { clockOffset } = options;
  return { config: threadConfig(options), clockOffset };
}

function threadConfig({ config, cwd, pod, database, ...given }: HandlingOptions): ThreadConfig {
  const adapters = given.adapters ?? adapterFacts(config.adapters.map(adapterKind));
  const { redisUrl = "", namespace, name, alias, handlers, handlerVariables, groups, admins } = config;
  const settings = config.handlerSettings;
  const queueLimits = { deliveries: config.queueLimit, bytes: config.queueBytes };
  const log = { level: config.logLevel, format: config.logFormat, linesPerSecond: config.logLines };
  const redirect = config.outboxRedirect === undefined ? {} : { redirect: config.outboxRedirect };
  const bot = { name, alias, handlers, handlerVariables, settings, cwd, adapters, ...redirect, groups, admins };
  const from = { config, server: pod, version: VERSION };
  const [reports, traces] = [reportsOf(from), tracesOf(from)];
  return { redisUrl, namespace, database, ...bot, queueLimits, durability: config.durability, log, reports, traces };
}

interface PartSteps {
  readonly name: string;
  readonly start?: () => Promise<unknown>;
  readonly stop?: () => Promise<unknown>;
}

function part({ name, start, stop }: PartSteps): Part {
  return { name, start: async () => void (await start?.()), stop: async () => void (await stop?.()) };
}

function all<T>(list: readonly T[], work: (item: T) => Promise<unknown>): Promise<unknown> {
  return Promise.all(list.map(work));
}
