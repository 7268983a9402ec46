// The parts of a bot under test, composed as production composes them: the parts of a master that lead, one public HTTP
// server, workers. All in one thread, on one embedded server, in a namespace of their own.

import type { BrokerContext } from "../broker/connection.ts";
import { lookAtSchedules } from "../broker/cron.ts";
import { setRouteLimits } from "../broker/limits.ts";
import { registerJobs, registerRoutes } from "../broker/routes.ts";
import { BUILTINS } from "../builtin/all.ts";
import type { Config } from "../config/config.ts";
import { type HandlerSurroundings, manifestOf } from "../handlers/loader.ts";
import { Manifest } from "../handlers/manifest.ts";
import { leaseTiming } from "../leader/timing.ts";
import { leaderOf, type LeaderSurroundings } from "../master/connections.ts";
import { Control } from "../master/control.ts";
import { MasterRedis } from "../master/redis.ts";
import { scheduleOf } from "../master/timetable.ts";
import { Unit } from "../master/unit.ts";
import { databaseOf } from "../redis/connect.ts";
import { Keys } from "../redis/keys.ts";
import type { Random } from "../runtime/clock.ts";
import { randomId } from "../runtime/ids.ts";
import { type Part, startAll, stopAll } from "../runtime/part.ts";
import { capabilitiesOf } from "../sdk/adapter.ts";
import type { Middleware } from "../sdk/middleware.ts";
import type { Emit } from "../telemetry/events.ts";
import { HandlersLife } from "../worker/handlers-life.ts";
import { type HttpParts, httpParts } from "../worker/http-parts.ts";
import type { AdapterFacts } from "../worker/protocol.ts";
import { Pulse } from "../worker/pulse.ts";
import { limitsOf } from "../worker/route-limits.ts";
import { WEB } from "../adapters/web/manifest.ts";
import { ChatService } from "./chat-service.ts";
import { type CrashPoint, CrashPoints } from "./crash-points.ts";
import type { TestBotOptions } from "./options.ts";
import { pause, TestClock } from "./test-clock.ts";
import { TestWorker } from "./test-worker.ts";

export interface StackOptions {
  readonly config: Config;
  readonly handlers: TestBotOptions["handlers"];
  /** `web`, and units of other services. */
  readonly units: readonly string[];
  readonly workers: number;
  readonly middleware: readonly Middleware[];
  readonly clock: TestClock;
  readonly random: Random;
  readonly emit: Emit;
}

const STOP_MS = 5_000;
const SCHEDULES_MS = 5_000;
/** A test's dead letters outlive whatever it does to the clock. */
const RETENTION = { length: 1_000_000, ageMs: Number.MAX_SAFE_INTEGER };

export class Stack {
  readonly config: Config;
  readonly broker: BrokerContext;
  readonly services: ReadonlyMap<string, ChatService>;
  readonly points = new CrashPoints();
  /** Deaths that go on in the background. */
  readonly deaths = new Set<Promise<void>>();
  readonly #options: StackOptions;
  /** Never leaps, whatever a test does to the global clock: for Leases, because Redis' own clock does not leap either. */
  readonly #steady = new TestClock();
  readonly #redis: MasterRedis;
  readonly #workers = new Set<TestWorker>();
  readonly #dead = new Set<string>();
  readonly #adapters: readonly AdapterFacts[];
  #manifest = new Manifest([]);
  #numbers: ReadonlyMap<string, number> = new Map();
  #http: HttpParts | undefined;
  #handlers: HandlersLife | undefined;
  #parts: readonly Part[] = [];
  #pods = 0;

  constructor(options: StackOptions) {
    const { config, units, clock, random, emit } = options;
    this.#options = options;
    this.config = config;
    const { redisUrl: url = "" } = config;
    const leaseCommandMs = leaseTiming(config.leaseMs).commandMs;
    this.#redis = new MasterRedis({ url, pod: "test", leaseCommandMs, clock: this.#steady, random, emit });
    const keys = new Keys(config.namespace, databaseOf(url));
    this.broker = { client: this.#redis.commands, keys, clockOffsetMs: () => clock.offsetMs };
    const others = units.filter((unit) => unit !== WEB.name);
    this.services = new Map(others.map((unit) => [unit, new ChatService(unit, config.name)]));
    const manifests = [
      ...config.adapters.map(() => WEB),
      ...[...this.services.values()].map(({ manifest }) => manifest),
    ];
    this.#adapters = manifests.map(({ name, caps }) => ({ name, can: [...capabilitiesOf(caps)] }));
  }

  get manifest(): Manifest {
    return this.#manifest;
  }

  /** Route id -> its number in the registry. */
  get numbers(): ReadonlyMap<string, number> {
    return this.#numbers;
  }

  get httpPort(): number {
    return this.#http?.publicServer.port ?? 0;
  }

  /** Whether a handler is running. */
  get isIdle(): boolean {
    return [...this.#workers].every((worker) => worker.isIdle);
  }

  /** Whether a worker of this wid was killed. */
  isDead(wid: string): boolean {
    return this.#dead.has(wid.slice(0, wid.indexOf(".")));
  }

  nudge(): void {
    for (const worker of this.#workers) worker.nudge();
  }

  /** Throws what would stop the start of a worker. What has started by then is stopped. */
  async start(): Promise<void> {
    const { emit, workers } = this.#options;
    try {
      this.#manifest = await this.#load();
      this.#numbers = await registerRoutes(this.broker, this.#manifest.routeIds);
      await registerJobs(this.broker, this.#manifest.jobRoutes, this.#manifest.jobContracts);
      await setRouteLimits(this.broker, limitsOf(this.#manifest, this.#numbers));
      this.#handlers = new HandlersLife(this.#manifest, emit);
      await this.#handlers.setup();
      const parts = [...this.#masterParts(), ...this.#httpParts()];
      await startAll(parts);
      this.#parts = parts;
      await Promise.all(Array.from({ length: workers }, () => this.#addWorker()));
      await Promise.all([...this.services.values()].map(({ ready }) => ready));
      await this.#scheduled();
    } catch (error) {
      await this.stop().catch(() => {});
      throw error;
    }
  }

  /** Workers drain while HTTP answers and the master speaks. */
  async stop(): Promise<void> {
    await Promise.all(this.deaths);
    const workers = [...this.#workers];
    this.#workers.clear();
    await Promise.all(workers.map((worker) => worker.stop()));
    await stopAll(this.#parts, STOP_MS);
    await this.#handlers?.teardown(STOP_MS);
    await this.#redis.stop();
  }

  /** Kills the worker whose run comes to this point. */
  arm(point: CrashPoint): void {
    if (this.#manifest.route(point.during) === undefined)
      throw new TypeError(`crashWorker: there is no route ${point.during}`);
    this.points.add(point);
  }

  /** Kills the worker that is busy, or any. Another one takes its place, as wherever workers are kept alive. */
  kill(): void {
    const workers = [...this.#workers];
    const worker = workers.find(({ isIdle }) => !isIdle) ?? workers[0];
    if (worker !== undefined) this.#kill(worker);
  }

  #kill(worker: TestWorker): void {
    if (!this.#workers.delete(worker)) return;
    this.#dead.add(worker.pod);
    const death = Promise.all([worker.kill(), this.#addWorker()]).then(() => {});
    this.deaths.add(death);
    void death.finally(() => this.deaths.delete(death));
  }

  async #addWorker(): Promise<void> {
    const { clock, random, emit } = this.#options;
    const pod = `worker-${++this.#pods}`;
    const { config, broker } = this;
    const { manifest } = this;
    const known = { manifest, numbers: this.#numbers, adapters: this.#adapters, points: this.points };
    const crash = (worker: TestWorker): void => this.#kill(worker);
    const worker = new TestWorker({ pod, config, keys: broker.keys, ...known, crash, clock, random, emit });
    this.#workers.add(worker);
    await worker.start();
  }

  #load(): Promise<Manifest> {
    const { groups, handlerSettings: settings } = this.config;
    const around: HandlerSurroundings = {
      builtins: [...BUILTINS, ...this.#options.middleware],
      groups: Object.keys(groups),
      adapters: this.#adapters,
      settings,
      environment: {},
    };
    const found = this.#options.handlers.map((value, index) => ({ file: `handlers[${index}]`, value }));
    return manifestOf(found, around);
  }

  /** All that a master has but its admin server and its watchdog. */
  #masterParts(): Part[] {
    const { config, broker } = this;
    const { clock, random, emit } = this.#options;
    const { leases, subscriber } = this.#redis;
    const timing = leaseTiming(config.leaseMs);
    const leading = { leases, subscriber, broker, timing, owner: "test", newId: randomId, random, emit };
    const around: LeaderSurroundings = { ...leading, clock: this.#steady };
    const routes = this.#manifest.timed.map(({ shape }) => scheduleOf(shape));
    const control = new Control({ broker, routes, retention: RETENTION, clock, random, emit });
    const limits = { deliveries: config.queueLimit, bytes: config.queueBytes };
    const units = [...this.services.values()].map((service) => {
      const create = () => service.connect();
      const { unit } = service;
      const duty = new Unit({ unit, create, settings: {}, broker, limits, subscriber, clock, random, emit });
      return unitPart(duty, leaderOf(unit, duty, around));
    });
    return [leaderOf("control", control, around), ...units];
  }

  #httpParts(): readonly Part[] {
    const { clock, random, emit } = this.#options;
    const { config } = this;
    const common = { config, manifest: this.#manifest, clockOffset: clock.offset, clock, random, emit };
    this.#http = httpParts({ ...common, pulse: new Pulse() });
    return this.#http.parts;
  }

  /** A leap of the clock must find the schedules in their place. */
  async #scheduled(): Promise<void> {
    const wanted = this.#manifest.timed.length;
    if (wanted === 0) return;
    const { clock } = this.#options;
    const deadline = clock.monotonic() + SCHEDULES_MS;
    while (clock.monotonic() < deadline) {
      if ((await lookAtSchedules(this.broker, wanted)).slots.length === wanted) return;
      await pause(5);
    }
    throw new Error(`The schedules were not stored within ${SCHEDULES_MS} ms.`);
  }
}

/** A connection, as the master holds it: open beside any Lease where the service allows it. */
function unitPart(unit: Unit, leader: Part): Part {
  return {
    name: leader.name,
    start: async () => {
      await unit.warm();
      await leader.start();
    },
    stop: async (deadlineMs) => {
      await leader.stop(deadlineMs);
      await unit.close(deadlineMs);
    },
  };
}
