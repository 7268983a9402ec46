// A bot whose dashboard is looked at: a redis-server of its own with so much in it, a master that leads, and a worker that has a
// little to do in a queue of its own.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { NOW_CHANNEL } from "../../../services/admin/now-channel.ts";
import { openBus } from "../../../services/bus/plugin.ts";
import { openQueue, type Queue } from "../../../services/queue/queue.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { dashboardPages } from "../../support/dashboard-pages.ts";
import { FakeChat } from "../../support/fake-chat.ts";
import { waitFor } from "../../support/wait-for.ts";
import { type Mode, type ModeOptions, startMode } from "../flood/antiphon.ts";
import { freePort } from "../processes.ts";
import { type BenchRedis, startRedis } from "../redis.ts";
import { type Amount, fill, FULLEST } from "./fill.ts";
import type { Ask, Look } from "./look.ts";

const HANDLERS = fileURLToPath(new URL("../../fixtures/dashboard", import.meta.url));
const TOKEN = "bench-secret-0123456789";
const SERVED = "desk";
const SCHEDULE = "mail.digest";
const PER_SECOND = 10;
const THERE = { timeoutMs: 30_000 };
/** What the page gets of the past ten minutes. */
export const BACKLOG = 300;

interface Parts {
  readonly redis: BenchRedis;
  readonly client: RedisClient;
  readonly queue: Queue;
  readonly chat: FakeChat;
  readonly modes: readonly Mode[];
  readonly cwd: string;
  readonly origin: string;
}

export class Board {
  readonly client: RedisClient;
  readonly #parts: Parts;
  readonly #load: ReturnType<typeof setInterval>;
  #job = "";

  private constructor(parts: Parts) {
    this.client = parts.client;
    this.#parts = parts;
    const tell = (): unknown =>
      parts.queue.enqueue("mail.send", { to: "x", ms: 20 }, { queue: SERVED }).catch(() => {});
    this.#load = setInterval(tell, 1000 / PER_SECOND);
  }

  static async open(amount: Amount): Promise<Board> {
    const [chat, redis, adminPort] = [await FakeChat.start(), await startRedis("AOF off"), await freePort()];
    const cwd = mkdtempSync(join(tmpdir(), "antiphon-bench-"));
    const env = {
      ANTIPHON_ADMIN_TOKEN: TOKEN,
      ANTIPHON_QUEUES: SERVED,
      ANTIPHON_DEAD_LENGTH: "1000000",
    };
    const chatPort = Number(new URL(chat.url).port);
    const options: ModeOptions = { redisUrl: redis.url, cwd, tallyPort: 0, chatPort, handlers: HANDLERS, env };
    const modes = [
      await startMode("master", { ...options, env: { ...env, ANTIPHON_ADMIN_PORT: String(adminPort) } }),
      await startMode("worker", options),
    ];
    const client = openRedis({ url: redis.url, name: "bench", purpose: "commands", onState: () => {} });
    const queue = await openQueue({ url: redis.url });
    const board = new Board({ redis, client, queue, chat, modes, cwd, origin: `http://127.0.0.1:${adminPort}` });
    board.#job = await fill(client, amount);
    await board.#remember();
    return board;
  }

  /** The pages, and what else an operator waits for. */
  get looks(): Look[] {
    const pages = dashboardPages({ queue: FULLEST, job: this.#job, schedule: SCHEDULE });
    const filtered = (name: string, query: string): Look => this.#look(name, [{ path: `jobs?${query}&limit=50` }]);
    return [
      this.#look("the page is opened", [{ path: "session" }, { path: "live", until: BACKLOG }, { path: "now" }]),
      ...pages.map(({ name, asks }) =>
        this.#look(
          name,
          asks.map((path) => ({ path })),
        ),
      ),
      filtered("Jobs of a route", "route=pay.capture"),
      filtered("Jobs of a key", "key=customer-7"),
      filtered("Jobs with a text that none has", "text=nobody-says-this"),
      this.#look("count of all dead, before a retry", [
        { path: "bulk", body: { action: "retry", filter: {}, dryRun: true } },
      ]),
    ];
  }

  #look(name: string, asks: readonly Ask[]): Look {
    const headers = { authorization: `Bearer ${TOKEN}` };
    return { name, origin: this.#parts.origin, prefix: "/api/", asks, headers };
  }

  /** As many snapshots as ten minutes of a leader leave. */
  async #remember(): Promise<void> {
    const { redis, origin } = this.#parts;
    const now = async (): Promise<object> => {
      const answer = await fetch(`${origin}/api/now`, { headers: { authorization: `Bearer ${TOKEN}` } });
      if (!answer.ok) throw new Error(`/api/now: ${answer.status}`);
      return (await answer.json()) as object;
    };
    const snapshot = await waitFor(now, { ...THERE, what: "the master answers" });
    const bus = await openBus({ url: redis.url, namespace: "antiphon" });
    const [seconds = 0] = await this.client.time();
    for (let n = BACKLOG; n > 0; n--)
      await bus.publish(NOW_CHANNEL, { ...snapshot, at: new Date((Number(seconds) - 2 * n) * 1000).toISOString() });
    await bus.close();
  }

  async close(): Promise<void> {
    clearInterval(this.#load);
    const { redis, client, queue, chat, modes, cwd } = this.#parts;
    await Promise.all(modes.map((mode) => mode.process.end("SIGKILL")));
    await queue.close();
    await closeRedis(client);
    await redis.stop();
    await chat.stop();
    rmSync(cwd, { recursive: true, force: true });
  }
}
