// From start to end of a handler thread or quarantine child: load, connect, set up, run, tear down. Its entry gives it a
// way to talk; everything else is the same in both.

import type { BrokerContext } from "../broker/connection.ts";
import { Sending } from "../broker/sending.ts";
import { BUILTINS, TALKATIVE } from "../builtin/all.ts";
import { isUnsigned } from "../handlers/check.ts";
import { loadHandlers, type LoadOptions, loadOptionsOf } from "../handlers/loader.ts";
import type { Manifest } from "../handlers/manifest.ts";
import { closeRedis, openRedis, type RedisState } from "../redis/connect.ts";
import { Keys } from "../redis/keys.ts";
import { scriptName } from "../redis/scripts.ts";
import { type Clock, type Random, systemClock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { collectGarbage, collectStartupGarbage } from "../runtime/heap.ts";
import { VERSION } from "../runtime/version.ts";
import { Groups } from "../store/groups.ts";
import { StoreReader } from "../store/store.ts";
import type { Emit } from "../telemetry/events.ts";
import { limitedLogs } from "../telemetry/log-limit.ts";
import { logEmitter } from "../telemetry/logs.ts";
import { measuring } from "../telemetry/measuring.ts";
import { Meter } from "../telemetry/meter.ts";
import { relay } from "../telemetry/relay.ts";
import { withTraceIds } from "../telemetry/trace-ids.ts";
import type { Report } from "../telemetry/report.ts";
import { openReporting, type Reporting } from "../telemetry/trackers.ts";
import { openTracing, type Tracing } from "../telemetry/tracing.ts";
import { HandlersLife } from "./handlers-life.ts";
import { unpackRuns } from "./packing.ts";
import { OwnMetrics } from "./own-metrics.ts";
import type { ThreadConfig, ThreadData, ToThread } from "./protocol.ts";
import { HeldRoutes } from "./held-routes.ts";
import { Registry } from "./registry.ts";
import { Rooms } from "./rooms.ts";
import { presentRun } from "./run-route.ts";
import { Runner, type RunnerPort } from "./runner.ts";
import type { ThreadParts } from "./thread-parts.ts";

export type ThreadSeed = Omit<ThreadData, "slotMemory">;

/** Stops taking messages, so that the thread or process can end by itself. */
export type Close = () => void;

export class ThreadLife {
  readonly #seed: ThreadSeed;
  readonly #port: RunnerPort;
  readonly #close: Close;
  readonly #emit: Emit;
  readonly #reporting: Reporting;
  /** Tells main at once what was counted. */
  readonly #told: () => void;
  #tracing: Tracing | undefined;
  readonly #stopping = new AbortController();
  readonly #broker: BrokerContext;
  #handlers: HandlersLife | undefined;
  #registry: Registry | undefined;
  #runner: Runner | undefined;
  #started: Promise<void> | undefined;

  constructor(seed: ThreadSeed, port: RunnerPort, close: Close) {
    const { config, kind, index, clockOffset } = seed;
    this.#seed = seed;
    this.#port = port;
    this.#close = close;
    const origin = { mode: "worker", thread: `${kind}-${index}` };
    const meter = new Meter();
    this.#told = relay(meter, { clock: systemClock, send: (changes) => port.post({ type: "measured", changes }) });
    const emit = measuring(logEmitter({ ...config.log, base: origin }), meter);
    const functions = { tell: (report: Report) => port.post({ type: "report", report }) };
    const machine = { clock: systemClock, random: Math.random };
    this.#reporting = openReporting(config.reports, { ...origin, ...machine, emit, functions });
    const { level, linesPerSecond } = config.log;
    const traced = withTraceIds(this.#reporting.emit, () => this.#tracing);
    this.#emit = limitedLogs(config.traces === undefined ? this.#reporting.emit : traced, {
      level,
      linesPerSecond,
      clock: systemClock,
    });
    const client = openRedis({
      url: config.redisUrl,
      name: `worker-thread-${kind}-${index}:${process.pid}`,
      purpose: "commands",
      onState: (state) => this.#heard(state), // main tells of it, once for the whole process
    });
    const keys = new Keys(config.namespace, config.database);
    const { durability } = config;
    const sending = new Sending({ emit });
    this.#broker = { client, keys, clockOffsetMs: () => clockOffset[0] ?? 0, durability, sending };
  }

  start(): void {
    this.#started = this.#start();
  }

  receive(message: ToThread): void {
    if (message.type === "runs") this.#runner?.take(unpackRuns(message.packed));
    else if (message.type === "abort") this.#runner?.abort(message.serials, message.reason);
    else if (message.type === "go") this.#runner?.go(message.serial);
    else if (message.type === "collect") collectGarbage();
    else if (message.type === "stop") void this.#stop(message.deadlineMs);
  }

  /** A rejection that nobody handled: the fault of the run that it came out of, and of no other. */
  strayRejection(error: unknown): void {
    const run = presentRun.getStore();
    if (run !== undefined && !run.isOver) return run.fail(error);
    const from = run === undefined ? {} : { route: run.shape.id, origin: run.underway.origin };
    const fields = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    this.#emit("log", { level: "error", text: "a promise was rejected and nobody looked at it", ...from, fields });
  }

  async #start(): Promise<void> {
    try {
      const { config } = this.#seed;
      this.#tracing = await this.#openTracing();
      const manifest = await loadHandlers(loadOptions(config));
      this.#announce(manifest);
      const { numbers } = await this.#register(manifest);
      this.#handlers = new HandlersLife(manifest, this.#emit);
      await this.#handlers.setup();
      if (this.#stopping.signal.aborted) return;
      this.#runner = new Runner(
        threadParts({ config, manifest, numbers, broker: this.#broker, tracing: this.#tracing, emit: this.#emit }),
        this.#port,
      );
      this.#port.post({ type: "ready" });
      collectStartupGarbage();
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      const code = error instanceof AntiphonError ? error.code : "HANDLER_LOAD_FAILED";
      this.#port.post({ type: "unfit", code, message: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Before handlers are loaded: what they load may look for it. */
  #openTracing(): Promise<Tracing | undefined> {
    const { config, kind, index } = this.#seed;
    const around = { mode: "worker", thread: `${kind}-${index}`, emit: this.#emit };
    const calls = { tracesCalls: true, scriptName };
    return openTracing(config.traces, { ...around, ...calls, clock: systemClock, random: Math.random });
  }

  /** Once per process, not once per thread. */
  #announce(manifest: Manifest): void {
    if (this.#seed.kind === "quarantine" || this.#seed.index !== 0) return;
    this.#emit("handlers.loaded", { handlers: manifest.handlers.length, routes: manifest.routes.length });
    for (const { shape } of manifest.http) if (isUnsigned(shape)) this.#emit("route.unsigned", { route: shape.id });
  }

  async #register(manifest: Manifest): Promise<Registry> {
    const isStopped = (): boolean => this.#stopping.signal.aborted;
    const patience = { clock: systemClock, random: Math.random, isStopped };
    const registry = new Registry(this.#broker, manifest, patience);
    await registry.write();
    this.#registry = registry;
    return registry;
  }

  /** The connection is there again. What cannot be written now is written after the next gap. */
  #heard(state: RedisState): void {
    if (state === "ready") this.#registry?.write().catch(() => {});
  }

  async #stop(deadlineMs: number): Promise<void> {
    this.#stopping.abort();
    await this.#started;
    await this.#handlers?.teardown(deadlineMs);
    await Promise.all([closeRedis(this.#broker.client), this.#reporting.close(), this.#tracing?.close()]);
    this.#told();
    this.#port.post({ type: "stopped" });
    this.#close();
  }
}

function loadOptions({ settings, adapters, log, ...config }: ThreadConfig): LoadOptions {
  const builtins = log.level === "debug" ? TALKATIVE : BUILTINS;
  return loadOptionsOf({ ...config, handlerSettings: settings }, { adapters, builtins });
}

export interface PartsOptions {
  readonly config: Pick<ThreadConfig, "name" | "alias" | "adapters" | "redirect" | "groups" | "admins">;
  readonly manifest: Manifest;
  readonly numbers: ReadonlyMap<string, number>;
  readonly broker: BrokerContext;
  readonly emit: Emit;
  /** The machine's unless given. */
  readonly clock?: Clock;
  readonly random?: Random;
  readonly tracing?: Tracing | undefined;
}

/** What the runs of a thread share; the test kit makes the same for runs in its own thread. */
export function threadParts(options: PartsOptions): ThreadParts {
  const { config, manifest, numbers, broker, emit, clock = systemClock, random = Math.random } = options;
  const { client, keys } = broker;
  const { name, alias, adapters, redirect, groups, admins } = config;
  const handlers = manifest.handlers.map(({ shape }) => shape.name);
  return {
    manifest,
    bot: Object.freeze({ name, alias, version: VERSION, adapters: adapters.map((facts) => facts.name), handlers }),
    rooms: new Rooms(adapters, redirect),
    groups: new Groups({ client, keys, declared: groups, admins }),
    stores: new StoreReader(client, keys),
    held: new HeldRoutes(broker, clock),
    numbers,
    broker,
    emit,
    metrics: new OwnMetrics(emit),
    clock,
    random,
    tracing: options.tracing,
  };
}
