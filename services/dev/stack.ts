// The processes of the local stack: Redis, one master and two workers behind one public port.
//
// The children run what production runs. This process only starts them, carries bytes between them and the outside,
// and starts them again.

import type { Config } from "../config/config.ts";
import { type LocalRedis, startLocalRedis } from "../redis/local.ts";
import { systemClock } from "../runtime/clock.ts";
import type { Emit } from "../telemetry/events.ts";
import { type Checked, checkHandlers } from "./check.ts";
import { Child, type Ready } from "./child.ts";
import type { Console } from "./console.ts";
import { checkPort, Front } from "./front.ts";
import { Keeper } from "./keeper.ts";

export interface StackOptions {
  readonly config: Config;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where a Redis of our own keeps what it holds. */
  readonly dataDir: string;
  /** Where compiled code is kept. */
  readonly cacheDir: string;
  readonly console: Console;
  readonly emit: Emit;
}

const WORKERS = ["worker-1", "worker-2"];
const CUT_MS = 100;

export class Stack {
  readonly #options: StackOptions;
  readonly #front: Front;
  readonly #workers: readonly Keeper[];
  readonly #master: Keeper;
  #redis: LocalRedis | undefined;
  #adminPort: number;
  /** The handlers that run. */
  #checked: Promise<Checked> | undefined;
  #starting: Promise<boolean> | undefined;
  #reload: Promise<void> = Promise.resolve();

  constructor(options: StackOptions) {
    const { config } = options;
    this.#options = options;
    this.#adminPort = config.adminPort;
    this.#front = new Front({ host: config.httpHost, port: config.httpPort, clock: systemClock });
    this.#workers = WORKERS.map((name) => this.#keeper("worker", name));
    this.#master = this.#keeper("master", "master");
  }

  /** @returns false when a process ended before it was ready: it has said why */
  start(): Promise<boolean> {
    return (this.#starting ??= this.#start());
  }

  get url(): string {
    return `http://${shownHost(this.#options.config.httpHost)}:${this.#front.port}`;
  }

  /** `antiphon is ready …`, for people and for scripts. */
  get readyLine(): string {
    const { config, dataDir } = this.#options;
    const admin = `http://${shownHost(config.adminHost)}:${this.#adminPort}`;
    const redis =
      this.#redis === undefined ? "as REDIS_URL says" : `${this.#redis.url} (${this.#redis.kind}, ${dataDir})`;
    return `antiphon is ready: chat ${this.url}/chat  webhooks ${this.url}  dashboard ${admin}/  redis ${redis}`;
  }

  /**
   * Handlers were saved: the workers are replaced one by one, so that one always serves. The master, which keeps its chat
   * connections, is started again only when schedules changed. Handlers that do not load change nothing.
   */
  reload(files: readonly string[]): Promise<void> {
    this.#reload = this.#reload.then(() => this.#replaceAll(files.join(", ")));
    return this.#reload;
  }

  async stop(): Promise<void> {
    await Promise.all([this.#master, ...this.#workers].map((keeper) => keeper.stop()));
    await this.#starting?.catch(() => {}); // whoever waits for it hears of its failure
    await this.#front.stop(CUT_MS);
    await this.#redis?.stop();
  }

  async #start(): Promise<boolean> {
    const { config, dataDir, emit } = this.#options;
    await checkPort(config.adminHost, config.adminPort, "ANTIPHON_ADMIN_PORT");
    await this.#front.start();
    if (config.redisUrl === undefined) {
      const onProblem = (detail: string): void => emit("part.failed", { part: "redis", error: new Error(detail) });
      this.#redis = await startLocalRedis({ dataDir, onProblem, fsync: config.durability === "fsync" });
    }
    // The first that cannot start decides: the others may wait for a Redis that is away.
    const starts = [this.#master, ...this.#workers].map((keeper) => keeper.start());
    const fails = starts.map(async (start) => ((await start) ? new Promise<never>(() => {}) : false));
    const isUp = await Promise.race([Promise.all(starts).then((up) => up.every(Boolean)), ...fails]);
    if (isUp) this.#checked = checkHandlers(this.#env("worker"));
    return isUp;
  }

  async #replaceAll(files: string): Promise<void> {
    const { emit } = this.#options;
    const before = await this.#checked;
    const now = await checkHandlers(this.#env("worker"));
    if (!now.ok) return emit("dev.reload-failed", { files, problems: now.problems });
    emit("dev.reload", { files });
    for (const worker of this.#workers)
      if (!(await worker.replace()))
        return emit("dev.reload-failed", { files, problems: ["The worker did not start."] });
    if (JSON.stringify(now.schedules) !== JSON.stringify(before?.schedules)) await this.#master.restart();
    this.#checked = Promise.resolve(now);
  }

  #keeper(mode: "master" | "worker", name: string): Keeper {
    const { config, console, emit } = this.#options;
    return new Keeper({
      name,
      drainMs: config.drainMs,
      clock: systemClock,
      random: Math.random,
      emit,
      spawn: () =>
        new Child({
          mode,
          env: this.#env(mode),
          clock: systemClock,
          onLine: (line, stream) => console.line(name, line, stream),
        }),
      onUp: (at) => this.#up(at),
      onDown: (at) => {
        if (at.http !== undefined) this.#front.remove(at.http);
      },
    });
  }

  #up(at: Ready): void {
    if (at.http !== undefined) this.#front.add(at.http);
    else if (at.admin !== undefined) this.#adminPort = at.admin;
  }

  /** Workers take free ports; everything else is as this process has it. */
  #env(mode: "master" | "worker"): Record<string, string | undefined> {
    const { config, env } = this.#options;
    const redisUrl = config.redisUrl ?? this.#redis?.url;
    const ports = { ANTIPHON_HTTP_HOST: "127.0.0.1", ANTIPHON_HTTP_PORT: "0", ANTIPHON_ADMIN_PORT: "0" };
    return {
      ...env,
      REDIS_URL: redisUrl,
      LOG_FORMAT: "json",
      // Every thread of every process compiles the same files; from the second start on they need not.
      NODE_COMPILE_CACHE: env["NODE_COMPILE_CACHE"] ?? this.#options.cacheDir,
      ...(config.file !== undefined && { ANTIPHON_CONFIG: config.file }),
      ...(mode === "worker" ? ports : { ANTIPHON_ADMIN_PORT: String(this.#adminPort) }),
    };
  }
}

function shownHost(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}
