// A bot of real processes on a Redis that a test can kill, freeze and start again, with what it kept or empty.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { randomId } from "../../../services/runtime/ids.ts";
import type { FakeChat } from "../../support/fake-chat.ts";
import { lastingPort, type RedisServer, startRedisServer } from "../../support/redis.ts";
import { type SpawnedNode, spawnNode } from "../../support/spawn.ts";

const ENTRY = new URL("../../../services/main.ts", import.meta.url);
const HANDLER = fileURLToPath(new URL("./handler.ts", import.meta.url));
const START_MS = 60_000;

export class AwayBot {
  readonly keys: Keys;
  readonly #port: number;
  readonly #folders: string[] = [];
  readonly #processes: SpawnedNode[] = [];
  readonly #chat: FakeChat | undefined;
  #server: RedisServer;
  #client: RedisClient | undefined;
  #urls: readonly string[] = [];

  private constructor(server: RedisServer, folder: string, chat: FakeChat | undefined) {
    this.keys = new Keys(`away-${randomId()}`, 0);
    this.#server = server;
    this.#chat = chat;
    this.#port = server.port;
    this.#folders.push(folder);
  }

  /** Two workers and a master that leads; it speaks in a chat service if there is one. */
  static async start(chat?: FakeChat): Promise<AwayBot> {
    const folder = newFolder();
    const bot = new AwayBot(await startServer(await lastingPort(), folder), folder, chat);
    const processes = ["master", "worker", "worker"].map((mode) => bot.#spawn(mode));
    bot.#processes.push(...processes);
    try {
      const started = await Promise.all(processes.map((one) => one.waitForLine('"process.started"', START_MS)));
      bot.#urls = started.slice(1).map((line) => /http:\/\/[^ "]+/.exec(line)?.[0] ?? "");
      return bot;
    } catch (error) {
      await bot.stop();
      throw error;
    }
  }

  /** Where its workers serve. */
  get urls(): readonly string[] {
    return this.#urls;
  }

  /** A look into Redis beside the bot's processes. */
  get client(): RedisClient {
    this.#client ??= openRedis({ url: this.#server.url, name: "away", purpose: "commands", onState: () => {} });
    return this.#client;
  }

  /** What was logged under one of these events. */
  logged(...events: string[]): string[] {
    const names = events.map((event) => `"event":"${event}"`);
    return this.#processes.flatMap(({ lines }) => lines.filter((line) => names.some((name) => line.includes(name))));
  }

  get lastLines(): string {
    return this.#processes.flatMap(({ lines }) => lines.slice(-15).map((line) => line.slice(0, 300))).join("\n");
  }

  /** Nothing answers any more, and connections stay open. */
  freeze(): void {
    this.#server.child.kill("SIGSTOP");
  }

  thaw(): void {
    this.#server.child.kill("SIGCONT");
  }

  async killServer(): Promise<void> {
    await this.#server.stop();
  }

  async killMaster(): Promise<void> {
    await this.#processes[0]?.kill("SIGKILL");
  }

  /** Another one. */
  async startMaster(): Promise<void> {
    const master = this.#spawn("master");
    this.#processes.push(master);
    await master.waitForLine('"process.started"', START_MS);
  }

  /** With everything that it had written, or on another folder. */
  async startServer(kept: "kept" | "empty"): Promise<void> {
    if (kept === "empty") this.#folders.push(newFolder());
    this.#server = await startServer(this.#port, this.#folders.at(-1) ?? "");
  }

  /** Of the handler: lists of what was settled, by field. */
  async store(): Promise<ReadonlyMap<string, unknown>> {
    const fields = await this.client.hgetall(this.keys.store("away"));
    return new Map(Object.entries(fields).map(([field, value]) => [field, JSON.parse(value) as unknown]));
  }

  /** Deliveries that are not settled. */
  unsettled(): Promise<number> {
    return this.client.hlen(`${this.keys.queue("default")}:j`);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((one) => one.end()));
    if (this.#client) await closeRedis(this.#client);
    await this.#server.stop();
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
  }

  #spawn(mode: string): SpawnedNode {
    return spawnNode(ENTRY, {
      args: [mode],
      env: {
        REDIS_URL: this.#server.url,
        ANTIPHON_NAMESPACE: this.keys.tag.slice(1, this.keys.tag.indexOf(":")),
        ANTIPHON_HANDLERS: HANDLER,
        ...(this.#chat && { ANTIPHON_ADAPTERS: "web,fake", FAKE_URL: this.#chat.url }),
        ANTIPHON_LEASE_MS: "3000",
        ANTIPHON_WORKER_THREADS: "2",
        ANTIPHON_HTTP_HOST: "127.0.0.1",
        ANTIPHON_HTTP_PORT: "0",
        ANTIPHON_ADMIN_HOST: "127.0.0.1",
        ANTIPHON_ADMIN_PORT: "0",
        LOG_LEVEL: "info",
        LOG_FORMAT: "json",
      },
    });
  }
}

function newFolder(): string {
  return mkdtempSync(join(tmpdir(), "antiphon-away-"));
}

/**
 * Its own folder is not the one where it keeps: that one must outlive it. `always`, because a server that is killed has else
 * answered what it had not written yet, whenever its disk is slow: up to 2 s of it.
 */
function startServer(port: number, folder: string): Promise<RedisServer> {
  const kept = ["--dir", folder, "--appendonly", "yes", "--appendfsync", "always"];
  return startRedisServer(["--port", String(port), ...kept]);
}
