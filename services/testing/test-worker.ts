// A worker of a bot under test: the real parts of the handler side (worker/handling.ts) with threads in the test's own
// thread, and a way to kill it. What a real worker has besides, HTTP, all workers of a bot under test share.

import type { BrokerContext } from "../broker/connection.ts";
import type { Config } from "../config/config.ts";
import type { Manifest } from "../handlers/manifest.ts";
import { closeRedis, openRedis, type RedisClient } from "../redis/connect.ts";
import type { Keys } from "../redis/keys.ts";
import type { Random } from "../runtime/clock.ts";
import { Loop } from "../runtime/loop.ts";
import { type Part, startAll, stopAll } from "../runtime/part.ts";
import type { Emit } from "../telemetry/events.ts";
import { Connections } from "../worker/connections.ts";
import { handlingParts } from "../worker/handling.ts";
import type { AdapterFacts, ThreadData } from "../worker/protocol.ts";
import { Pulse } from "../worker/pulse.ts";
import { threadParts } from "../worker/thread-life.ts";
import type { ThreadParts } from "../worker/thread-parts.ts";
import type { Host, HostEvents } from "../worker/threads.ts";
import { LocalThread } from "./local-thread.ts";
import type { CrashPoints, Victim } from "./crash-points.ts";
import { Life, mortal } from "./mortal.ts";
import type { TestClock } from "./test-clock.ts";

export interface TestWorkerOptions {
  /** The first part of its wids. */
  readonly pod: string;
  readonly config: Config;
  readonly keys: Keys;
  readonly manifest: Manifest;
  readonly numbers: ReadonlyMap<string, number>;
  /** Those of the bot, which may be none that Antiphon knows. */
  readonly adapters: readonly AdapterFacts[];
  readonly points: CrashPoints;
  /** Told when a run of this worker has come to its crash. */
  readonly crash: (worker: TestWorker) => void;
  readonly clock: TestClock;
  readonly random: Random;
  readonly emit: Emit;
}

/** As much as its config's drain time lets it, and then some. */
const STOP_MS = 5_000;

export class TestWorker {
  readonly pod: string;
  readonly #options: TestWorkerOptions;
  readonly #life = new Life();
  readonly #stopping = new AbortController();
  readonly #connections: Connections;
  /** Of all its threads. */
  readonly #client: RedisClient;
  readonly #threads = new Set<LocalThread>();
  readonly #parts: readonly Part[];

  constructor(options: TestWorkerOptions) {
    const { pod, config, keys, clock, random } = options;
    const { redisUrl: url = "" } = config;
    const emit: Emit = (name, fields) => {
      if (!this.#life.isOver) options.emit(name, fields);
    };
    this.pod = pod;
    this.#options = { ...options, emit };
    const pulse = new Pulse();
    const common = { config, pod, pulse, emit, clock, random };
    this.#connections = new Connections({ ...common, url });
    this.#client = openRedis({ url, name: `worker-threads:${pod}`, purpose: "commands", onState: () => {} });
    const handling = handlingParts({
      ...common,
      cwd: config.cwd,
      connections: this.#connections,
      broker: { client: this.#connections.commands, keys, clockOffsetMs: () => clock.offsetMs },
      database: keys.database,
      clockOffset: clock.offset,
      spawn: (data, events) => this.#spawn(data, events),
      beside: [],
      draining: () => {},
      stopping: this.#stopping.signal,
    });
    this.#parts = [this.#connections, ...handling];
  }

  /** Resolves when it takes deliveries. */
  start(): Promise<void> {
    return startAll(this.#parts);
  }

  /** Whether nothing runs here. */
  get isIdle(): boolean {
    return [...this.#threads].every((thread) => thread.isIdle);
  }

  /** Beats now: promotes what is due, takes back what the dead held. */
  nudge(): void {
    for (const part of this.#parts) if (part instanceof Loop) part.wake();
  }

  /** Drains and stops. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await stopAll(this.#parts, this.#options.config.drainMs + STOP_MS);
    await closeRedis(this.#client);
  }

  /** Leaves what SIGKILL leaves. Resolves when nothing of it is left in this process, of which Redis hears nothing. */
  async kill(): Promise<void> {
    this.#life.end();
    for (const thread of this.#threads) thread.kill();
    for (const client of [this.#client, this.#connections.commands]) client.disconnect();
    this.#stopping.abort();
    const parts = this.#parts.filter(({ name }) => name !== "drain");
    // Whatever wants to say goodbye finds its connection gone.
    await stopAll(parts, STOP_MS).catch(() => {});
    await closeRedis(this.#client);
  }

  #spawn(data: ThreadData, events: HostEvents): Host {
    // Too late: the dead do not replace their threads.
    if (this.#life.isOver) return { post: () => {}, end: () => events.gone("killed") };
    const thread: LocalThread = new LocalThread({
      data,
      events,
      parts: (life) => {
        const kill = (): void => (data.kind === "quarantine" ? thread.end() : this.#options.crash(this));
        return this.#partsOf(life, kill);
      },
    });
    this.#threads.add(thread);
    return thread;
  }

  #partsOf(life: Life, kill: () => void): ThreadParts {
    const { config, manifest, numbers, adapters, points, clock, random, emit, keys } = this.#options;
    const { name, alias, groups, admins } = config;
    const client = mortal(this.#client, life);
    const broker: BrokerContext = { client, keys, clockOffsetMs: () => clock.offsetMs };
    const tell: Emit = (event, fields) => {
      if (!life.isOver) emit(event, fields);
    };
    const victim: Victim = {
      get isDead() {
        return life.isOver;
      },
      kill,
    };
    return threadParts({
      config: { name, alias, groups, admins, adapters },
      manifest: points.watch(manifest, victim),
      numbers,
      broker,
      emit: tell,
      clock,
      random,
    });
  }
}
