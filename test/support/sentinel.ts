// A real Sentinel set-up on this machine: one primary, two replicas, three Sentinels, each a process that a test may
// kill, freeze and start again. Needs `redis-server` on PATH.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { endWithThis } from "./spawn.ts";
import { waitFor } from "./wait-for.ts";
import { freePort } from "./redis.ts";

export interface SentinelOptions {
  /** After so much silence a Sentinel holds a server for dead. Real ones wait 5 to 30 s. */
  readonly downAfterMs?: number;
  readonly replicas?: number;
  readonly sentinels?: number;
  /** More arguments of every server, e.g. `["--appendonly", "yes"]`. */
  readonly serverArgs?: readonly string[];
}

interface Node {
  readonly port: number;
  readonly args: readonly string[];
  child: ChildProcess | undefined;
}

const NAME = "bot";
const READY_MS = 30_000;
const PATIENCE = { host: "127.0.0.1", lazyConnect: true, retryStrategy: () => null, commandTimeout: 500 } as const;

export class SentinelSetup {
  readonly downAfterMs: number;
  readonly #folder = mkdtempSync(join(tmpdir(), "antiphon-sentinel-"));
  readonly #options: SentinelOptions;
  readonly #servers: Node[] = [];
  readonly #sentinels: Node[] = [];

  private constructor(options: SentinelOptions) {
    this.#options = options;
    this.downAfterMs = options.downAfterMs ?? 1_000;
  }

  /** Resolves when every Sentinel knows all others and all replicas, and the replicas follow. */
  static async start(options: SentinelOptions = {}): Promise<SentinelSetup> {
    const setup = new SentinelSetup(options);
    try {
      await setup.#startAll();
    } catch (error) {
      await setup.stop();
      throw error;
    }
    return setup;
  }

  /** REDIS_URL. */
  get url(): string {
    return `redis+sentinel://${this.#sentinels.map(({ port }) => `127.0.0.1:${port}`).join(",")}/${NAME}`;
  }

  /** Ports of all servers, primary or replica, dead or alive. */
  get ports(): readonly number[] {
    return this.#servers.map(({ port }) => port);
  }

  /** The port that most Sentinels name at this moment. */
  async primary(): Promise<number> {
    const named = await Promise.all(this.#sentinels.map(({ port }) => addressAt(port).catch(() => 0)));
    const counts = Map.groupBy(named, (port) => port);
    return [...counts].toSorted(([, a], [, b]) => b.length - a.length)[0]?.[0] ?? 0;
  }

  /** Waits until the Sentinels agree on another primary than this one, and it takes writes. */
  async movedFrom(port: number, timeoutMs = READY_MS): Promise<number> {
    const moved = async (): Promise<number> => {
      const named = await Promise.all(this.#sentinels.map((one) => addressAt(one.port)));
      const [first = 0] = named;
      const agreed = first !== port && named.every((one) => one === first);
      return agreed && (await asked(first, (redis) => redis.role()))[0] === "master" ? first : 0;
    };
    return waitFor(moved, { timeoutMs, what: `another primary than ${port}` });
  }

  signal(port: number, signal: NodeJS.Signals): void {
    this.#nodeAt(port).child?.kill(signal);
  }

  /** As an operator does who wants to restart the primary: nothing has died. */
  async switch(): Promise<void> {
    const [sentinel] = this.#sentinels;
    await asked(sentinel?.port ?? 0, (redis) => redis.call("SENTINEL", "FAILOVER", NAME));
  }

  /** SIGKILL; it stays away until `restart`. */
  async kill(port: number): Promise<void> {
    const node = this.#nodeAt(port);
    const { child } = node;
    node.child = undefined;
    await endOf(child);
  }

  /** Starts a killed server again, as the primary that it may have been: the Sentinels make it a replica. */
  async restart(port: number): Promise<void> {
    await this.#run(this.#nodeAt(port));
  }

  /** Every server is there, all but one follow that one, and all Sentinels see it so. */
  async whole(timeoutMs = READY_MS): Promise<void> {
    const replicas = this.#servers.length - 1;
    const sees = async ({ port }: Node): Promise<boolean> => {
      const master = await asked(port, (redis) => redis.call("SENTINEL", "MASTER", NAME));
      const fields = pairs(master as string[]);
      const known = Number(fields.get("num-other-sentinels")) === this.#sentinels.length - 1;
      return known && fields.get("flags") === "master" && Number(fields.get("num-slaves")) === replicas;
    };
    const follows = async (): Promise<boolean> => {
      const primary = await this.primary();
      const info = await asked(primary, (redis) => redis.info("replication"));
      return (info.match(/state=online/g) ?? []).length === replicas;
    };
    const all = async (): Promise<boolean> =>
      (await Promise.all(this.#sentinels.map(sees))).every(Boolean) && (await follows());
    await waitFor(all, { timeoutMs, what: "a whole Sentinel set-up" });
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#sentinels, ...this.#servers].map(({ child }) => endOf(child)));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #startAll(): Promise<void> {
    const { replicas = 2, sentinels = 3 } = this.#options;
    const first = await this.#addServer();
    for (let count = 0; count < replicas; count++) await this.#addServer(first);
    for (let count = 0; count < sentinels; count++) await this.#addSentinel(first);
    await this.whole();
  }

  async #addServer(primary?: number): Promise<number> {
    const port = await freePort();
    const folder = join(this.#folder, String(port));
    mkdirSync(folder);
    const follow = primary === undefined ? [] : ["--replicaof", "127.0.0.1", String(primary)];
    const common = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""];
    const args = [...common, "--repl-diskless-sync-delay", "0", ...(this.#options.serverArgs ?? [])];
    const node: Node = { port, args, child: undefined };
    this.#servers.push(node);
    await this.#run(node, follow);
    return port;
  }

  async #addSentinel(primary: number): Promise<void> {
    const port = await freePort();
    const folder = join(this.#folder, String(port));
    mkdirSync(folder);
    const file = join(folder, "sentinel.conf");
    const quorum = Math.floor((this.#options.sentinels ?? 3) / 2) + 1;
    const lines = [
      `port ${port}`,
      "bind 127.0.0.1",
      `dir ${folder}`,
      `sentinel monitor ${NAME} 127.0.0.1 ${primary} ${quorum}`,
      `sentinel down-after-milliseconds ${NAME} ${this.downAfterMs}`,
      `sentinel failover-timeout ${NAME} ${Math.max(3_000, this.downAfterMs * 2)}`,
      `sentinel parallel-syncs ${NAME} 2`,
    ];
    writeFileSync(file, `${lines.join("\n")}\n`);
    const node: Node = { port, args: [file, "--sentinel"], child: undefined };
    this.#sentinels.push(node);
    await this.#run(node);
  }

  async #run(node: Node, more: readonly string[] = []): Promise<void> {
    const child = spawn("redis-server", [...node.args, ...more], { stdio: "ignore" });
    node.child = endWithThis(child);
    await waitFor(() => asked(node.port, (redis) => redis.ping()), { what: `a server answers on ${node.port}` });
  }

  #nodeAt(port: number): Node {
    const node = [...this.#servers, ...this.#sentinels].find((one) => one.port === port);
    if (!node) throw new Error(`Nobody of this set-up has port ${port}.`);
    return node;
  }
}

async function endOf(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

async function addressAt(sentinel: number): Promise<number> {
  const [, port] = (await asked(sentinel, (redis) =>
    redis.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME),
  )) as string[];
  return Number(port);
}

/** Over a connection of its own, that waits for nothing. */
async function asked<T>(port: number, question: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis({ ...PATIENCE, port });
  redis.on("error", () => {});
  try {
    await redis.connect();
    return await question(redis);
  } finally {
    redis.disconnect();
  }
}

function pairs(list: readonly string[]): Map<string, string> {
  const map = new Map<string, string>();
  for (let at = 0; at + 1 < list.length; at += 2) map.set(list[at] ?? "", list[at + 1] ?? "");
  return map;
}
