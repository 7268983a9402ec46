// The mode `worker`: serves public HTTP and runs handlers. The list of its parts, and what starts and stops them.

import { type AdapterFacts, adapterFacts, loadAdapters } from "../adapters/load.ts";
import { Sending } from "../broker/sending.ts";
import type { Config } from "../config/config.ts";
import { reportsOf } from "../config/reports.ts";
import { tracesOf } from "../config/tracing.ts";
import { databaseOf } from "../redis/connect.ts";
import { Keys } from "../redis/keys.ts";
import { type Clock, type Random, systemClock } from "../runtime/clock.ts";
import { collectStartupGarbage } from "../runtime/heap.ts";
import { type Part, startAll, stopAll } from "../runtime/part.ts";
import { VERSION } from "../runtime/version.ts";
import type { Emit } from "../telemetry/events.ts";
import { openTracing, type Tracing } from "../telemetry/tracing.ts";
import { measured } from "../telemetry/measuring.ts";
import type { Meter } from "../telemetry/meter.ts";
import type { Report } from "../telemetry/report.ts";
import { relay } from "../telemetry/relay.ts";
import { Connections } from "./connections.ts";
import { handlingParts } from "./handling.ts";
import { HttpPart } from "./http-part.ts";
import { Pulse } from "./pulse.ts";
import { type Threaded, vitals } from "./vitals.ts";

export interface WorkerOptions {
  /** With `redisUrl`. */
  readonly config: Config;
  /** Where relative paths and packages of handlers are looked for. */
  readonly cwd: string;
  /** The pod's or machine's name; the first part of every wid. */
  readonly pod: string;
  readonly emit: Emit;
  /** What `emit` counts; its own where left out. */
  readonly meter?: Meter;
  /** Takes what its threads report, for error trackers that are functions. */
  readonly report?: (report: Report) => void;
  /** A part ended although nobody stopped it: the process should stop. */
  readonly died: (error: Error) => void;
  /** An operator wants this worker to stop: the process should call `stop`. */
  readonly toStop?: () => void;
  readonly clock?: Clock;
  readonly random?: Random;
  /** [0] is added to the server's clock inside the scripts, ms; over shared memory; for tests. */
  readonly clockOffset?: Float64Array;
}

export interface Ports {
  readonly httpPort: number;
  readonly adminPort: number;
}

export interface Running {
  /** Resolves when the worker takes deliveries: without Redis it answers 503 and waits. Rejects when it cannot start. */
  readonly ready: Promise<Ports>;
  /** Drains and stops, within the drain time and 8 s. */
  stop(): Promise<void>;
}

/** No part needs longer than this besides the drain itself. */
const STOP_MS = 6500;

/** Started from first to last, stopped from last to first: the drain comes first, and HTTP answers until nearly the end. */
export function workerParts(
  options: WorkerOptions & { readonly tracing?: Tracing | undefined },
  adapters: readonly AdapterFacts[],
  stopping: AbortSignal,
): { parts: Part[]; http: HttpPart } {
  const { config, cwd, pod, died, toStop, clock = systemClock, random = Math.random } = options;
  const { emit, meter } = measured(options);
  const { redisUrl: url = "" } = config;
  const clockOffset = options.clockOffset ?? new Float64Array(new SharedArrayBuffer(8));
  const database = databaseOf(url);
  const pulse = new Pulse();
  const reports = reportsOf({ config, server: pod, version: VERSION });
  const keys = new Keys(config.namespace, database);
  const durability = { level: config.durability, key: keys.proof() };
  const connections = new Connections({ url, pod, pulse, durability, emit, clock, random });
  const broker = {
    client: connections.commands,
    keys,
    clockOffsetMs: () => clockOffset[0] ?? 0,
    sending: new Sending({ emit, clock }),
  };
  const traces = tracesOf({ config, server: pod, version: VERSION });
  const http = new HttpPart(
    { config, cwd, adapters, reports, traces, pulse: pulse.memory, clockOffset },
    { died, report: options.report },
  );
  relay(meter, { clock, send: (changes) => http.measured(changes) });
  const threads = { beside: [http], draining: () => http.drain(), ...(toStop && { toStop }) };
  const around = { config, cwd, adapters, pod, connections, broker, database, clockOffset };
  const common = { ...around, pulse, emit, meter, tracing: options.tracing, clock, random };
  const isRedisThere = (): boolean => connections.isThere;
  const heapBeside = (): number | undefined => http.glanceHeap();
  const told = (process: string, threaded: readonly Threaded[]): Part =>
    vitals({ broker, process, threaded, heapBeside, isRedisThere, clock, random });
  const handling = handlingParts({ ...common, ...threads, told, report: options.report, stopping });
  return { parts: [connections, ...handling], http };
}

/** Of the main thread: when outcomes are written. */
function openTraces(options: WorkerOptions): Promise<Tracing | undefined> {
  const { config, pod, emit, clock = systemClock, random = Math.random } = options;
  return openTracing(tracesOf({ config, server: pod, version: VERSION }), {
    mode: "worker",
    thread: "main",
    emit,
    clock,
    random,
  });
}

/** Returns at once; see `ready`. */
export function startWorker(options: WorkerOptions): Running {
  const stopping = new AbortController();
  let tracing: Tracing | undefined;
  const started = loadAdapters(options.config).then(async (adapters) => {
    tracing = await openTraces(options);
    const { parts, http } = workerParts({ ...options, tracing }, adapterFacts(adapters), stopping.signal);
    await startAll(parts);
    return { parts, http };
  });
  const ready = started.then(({ http }) => http.ports ?? { httpPort: 0, adminPort: 0 });
  ready.then(collectStartupGarbage, () => {});
  ready.catch(() => {}); // whoever awaits it hears; nobody has to
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    stopping.abort();
    const running = await started.catch(() => undefined);
    if (running) await stopAll(running.parts, options.config.drainMs + STOP_MS).finally(() => tracing?.close());
  };
  return { ready, stop: () => (stopped ??= stop()) };
}
