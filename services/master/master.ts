// The mode `master`: speaks to chat services and keeps the bot's clock. The list of its parts, and what starts and stops them.

import type { Config } from "../config/config.ts";
import { lazyAdmin } from "../admin/lazy.ts";
import { LookDoor } from "../admin/look-door.ts";
import { tracesOf } from "../config/tracing.ts";
import { adapterFacts, type LoadedAdapter, loadAdapters } from "../adapters/load.ts";
import { Sending } from "../broker/sending.ts";
import { wholeLoad, workload } from "../broker/workload.ts";
import { adminServer } from "../http/admin.ts";
import { figures } from "../http/figures.ts";
import type { Leader } from "../leader/leader.ts";
import type { Place } from "../kubernetes/place.ts";
import { Masters } from "../leader/masters.ts";
import { leaseTiming } from "../leader/timing.ts";
import { Watchdog } from "../leader/watchdog.ts";
import { databaseOf } from "../redis/connect.ts";
import { checkDurability } from "../redis/durable.ts";
import { Keys } from "../redis/keys.ts";
import { type Clock, type Random, systemClock } from "../runtime/clock.ts";
import { randomId } from "../runtime/ids.ts";
import { Recent } from "../runtime/recent.ts";
import { startAll, stopAll } from "../runtime/part.ts";
import { VERSION } from "../runtime/version.ts";
import type { Emit } from "../telemetry/events.ts";
import { openTracing, type Tracing } from "../telemetry/tracing.ts";
import { measured } from "../telemetry/measuring.ts";
import type { Meter } from "../telemetry/meter.ts";
import { Connections, leaderOf } from "./connections.ts";
import { Control } from "./control.ts";
import { masterHealth } from "./health.ts";
import { surroundingsOf } from "./in-cluster.ts";
import { metricsApiOf } from "./metrics-api.ts";
import { MasterRedis } from "./redis.ts";
import type { Pace } from "./scaled-pool.ts";
import { loadSchedules } from "./schedules.ts";
import type { TimedRoute } from "./timetable.ts";

export interface MasterOptions {
  /** With `redisUrl`. */
  readonly config: Config;
  /** The pod's or machine's name, shown by `antiphon leader`. */
  readonly pod: string;
  readonly emit: Emit;
  /** What `emit` counts; its own where left out. */
  readonly meter?: Meter;
  /** It cannot go on: the process should stop. */
  readonly died?: (error: unknown) => void;
  readonly clock?: Clock;
  readonly random?: Random;
  /** [0] is added to the server's clock inside the scripts, ms; for tests. */
  readonly clockOffset?: Float64Array;
  /** The cluster that it runs in, if it has a service account there. */
  readonly place?: Place | undefined;
  /** For tests: how fast it scales down. */
  readonly pace?: Pace;
  /** What becomes of a process that leads and is silent for too long; `bear` where it is not the master's alone. */
  readonly onSilence?: "kill" | "bear";
}

export interface Running {
  /** Resolves when it answers probes and stands for election. Rejects when it cannot start. */
  readonly ready: Promise<{ readonly adminPort: number }>;
  /** Hands over what it leads, and stops. */
  stop(): Promise<void>;
}

/** What each part may take to stop; a handover needs about half of it. */
const STOP_MS = 5_000;
const DAY_MS = 86_400_000;
/** Redis is asked at most this often, however many scrape and scale. */
const FIGURES_MS = 1_000;

interface Loaded {
  readonly adapters: readonly LoadedAdapter[];
  readonly routes: readonly TimedRoute[];
  readonly tracing?: Tracing | undefined;
}

/** Nothing has started yet when it throws. */
async function load(config: Config): Promise<Loaded> {
  const adapters = await loadAdapters(config);
  return { adapters, routes: await loadSchedules(config, adapterFacts(adapters)) };
}

/** Last to be closed: what the handover said goes out, too. */
function openTraces(options: MasterOptions): Promise<Tracing | undefined> {
  const { config, pod, emit, clock = systemClock, random = Math.random } = options;
  return openTracing(tracesOf({ config, server: pod, version: VERSION }), { mode: "master", emit, clock, random });
}

/** Started from first to last, stopped from last to first: connections hand over while the rest still works. */
export function masterParts(options: MasterOptions, loaded: Loaded, stopping: AbortSignal) {
  const { config, pod, clock = systemClock, random = Math.random, clockOffset } = options;
  const { emit, meter } = measured(options);
  const { redisUrl: url = "" } = config;
  // 1. What all parts share: connections to Redis, the broker, the times of a Lease.
  const timing = leaseTiming(config.leaseMs);
  const redis = new MasterRedis({ url, pod, leaseCommandMs: timing.commandMs, clock, random, emit });
  const broker = {
    client: redis.commands,
    keys: new Keys(config.namespace, databaseOf(url)),
    clockOffsetMs: () => clockOffset?.[0] ?? 0,
    durability: config.durability,
    sending: new Sending({ emit, clock }),
  };
  const watchdog =
    options.onSilence === "bear" ? [] : [new Watchdog({ silentMsMax: timing.deadlineMs, clock, random })];
  const common = { broker, clock, random, emit };
  // 2. What is led: the chat connections, and `control`.
  const owner = `${pod}/${randomId().slice(0, 8)}`;
  const { leases, subscriber } = redis;
  const known = { client: redis.commands, keys: broker.keys, owner, pod, revision: config.revision };
  const masters = new Masters({ ...known, timing, stopping, clock, random, emit });
  const around = { ...common, leases, subscriber, timing, owner, newId: randomId, watchdog: watchdog[0], masters };
  const limits = { deliveries: config.queueLimit, bytes: config.queueBytes };
  const only = config.outboxRedirect;
  const { adapters, tracing } = loaded;
  const connections = new Connections({ around, adapters, limits, only, tracing });
  const retention = { length: config.deadLength, ageMs: config.deadDays * DAY_MS };
  // Read anew each time: a remembered value would add its age to the delay of scaling.
  const kubernetes = surroundingsOf(options, timing.leaseMs, async () => (await workload(broker)).pools);
  const told = { subscriber, leaseMs: timing.leaseMs };
  const duties = { routes: loaded.routes, retention, thereSince: () => redis.thereSince, kubernetes, told };
  const control = new Control({ ...common, ...duties, tracing });
  redis.onOutage(() => control.outage());
  const controlLeader = leaderOf("control", control, around);
  const leaders = (): readonly Leader[] => [controlLeader, ...connections.leaders];
  const stands = (): boolean => masters.isKnown && connections.isComplete && leaders().every(({ listens }) => listens);
  // 3. What answers: probes, figures, the admin site, the external metrics API.
  const health = masterHealth({
    redis,
    leaders,
    scaling: () => control.scaling,
    adapters: () => connections.checks,
    stands,
    stopping,
    clock,
  });
  const load = new Recent({ read: () => wholeLoad(broker), maxAgeMs: FIGURES_MS, clock });
  const heard = { client: redis.commands, subscriber: redis.subscriber, keys: broker.keys };
  const door = new LookDoor({ config, mode: "master", ...heard, clock });
  const site = lazyAdmin({ config, clock, random, emit, door, clockOffsetMs: broker.clockOffsetMs });
  const plugins = [figures(() => load.get(), { mode: "master", meter }), site.plugin];
  const admin = adminServer({ host: config.adminHost, port: config.adminPort, health, plugins, emit, random });
  const api = metricsApiOf({ config, place: options.place, look: () => load.get(), clock, random, emit });
  const durability = { level: config.durability, key: broker.keys.proof() };
  const checked = (): Promise<void> => checkDurability(redis.commands, durability, { clock, random, stopping });
  return {
    parts: [redis, door, admin, site, ...api, ...watchdog, masters, controlLeader, connections],
    admin,
    checked,
  };
}

/** Returns at once; see `ready`. */
export function startMaster(options: MasterOptions): Running {
  const stopping = new AbortController();
  let tracing: Tracing | undefined;
  const started = load(options.config).then(async (loaded) => {
    tracing = await openTraces(options);
    const { parts, admin, checked } = masterParts(options, { ...loaded, tracing }, stopping.signal);
    await startAll(parts);
    // It answers probes although Redis is away, so this is known later.
    checked().catch((error: unknown) => options.died?.(error));
    return { parts, admin };
  });
  const ready = started.then(({ admin }) => ({ adminPort: admin.port }));
  ready.catch(() => {}); // whoever awaits it hears; nobody has to
  const stop = async (): Promise<void> => {
    stopping.abort();
    const running = await started.catch(() => undefined);
    if (running) await stopAll(running.parts, STOP_MS).finally(() => tracing?.close());
  };
  let stopped: Promise<void> | undefined;
  return { ready, stop: () => (stopped ??= stop()) };
}
