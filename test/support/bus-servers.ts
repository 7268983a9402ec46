// The servers that a bus can be kept in, for tests that must hold on all of them: Redis, the embedded Valkey, Postgres.

import { afterAll, afterEach, beforeAll, describe } from "vitest";
import type { Backend, OnBell } from "../../services/bus/backend.ts";
import { type MessageBus, openBus, type OpenBusOptions } from "../../services/bus/plugin.ts";
import { PostgresBackend } from "../../services/bus/postgres/backend.ts";
import { RedisBackend } from "../../services/bus/redis-backend.ts";
import { closeRedis, openRedis, type RedisClient } from "../../services/redis/connect.ts";
import { Keys } from "../../services/redis/keys.ts";
import { systemClock } from "../../services/runtime/clock.ts";
import { randomId } from "../../services/runtime/ids.ts";
import { type PostgresServer, testPostgres, withPostgres } from "./postgres.ts";
import { eachServer } from "./redis.ts";

export interface BackendOptions {
  readonly namespace?: string;
  readonly globalIndex?: boolean;
  readonly onBell?: OnBell;
  readonly onGap?: () => void;
}

export interface BusServer {
  /** What `openBus` needs to know of it. */
  readonly options: Pick<OpenBusOptions, "backend" | "url">;
  readonly port: number;
  /** A backend, started. */
  backend(options: Required<Pick<BackendOptions, "namespace">> & BackendOptions): Promise<Opened>;
  /** Breaks the connections that hear doorbells, or those for everything else. */
  cut(which: "bells" | "statements"): Promise<void>;
  /** The server loses the channel; `part`: what is lost of it where that can be told apart. */
  forget(namespace: string, channel: string, part?: "head" | "messages"): Promise<void>;
  /** The name of a channel that no message can be stored in. */
  unstorable(namespace: string): Promise<string>;
  stop(): Promise<void>;
}

export interface Opened {
  readonly backend: Backend;
  close(): Promise<unknown>;
}

const noGap = (): void => {};
const noBell: OnBell = () => {};

export class RedisBusServer implements BusServer {
  readonly options: BusServer["options"];
  readonly port: number;
  readonly #url: string;
  readonly #admin: RedisClient;

  constructor(url: string) {
    this.#url = url;
    this.options = { backend: "redis", url };
    this.port = Number(new URL(url).port);
    this.#admin = this.#open("commands");
  }

  async backend({
    namespace,
    globalIndex = false,
    onBell = noBell,
    onGap = noGap,
  }: BackendOptions & { namespace: string }) {
    const [commands, subscriber] = [this.#open("commands"), this.#open("subscriber")];
    const backend = new RedisBackend({ commands, subscriber, keys: new Keys(namespace, 0), globalIndex });
    await backend.start({ bell: onBell, gap: onGap });
    const close = async (): Promise<void> => {
      await backend.stop();
      await Promise.all([closeRedis(commands), closeRedis(subscriber)]);
    };
    return { backend, close };
  }

  async cut(which: "bells" | "statements"): Promise<void> {
    await this.#admin.call("CLIENT", "KILL", "TYPE", which === "bells" ? "pubsub" : "normal", "SKIPME", "yes");
  }

  async forget(namespace: string, channel: string, part?: "head" | "messages"): Promise<void> {
    const prefix = new Keys(namespace, 0).bus();
    const keys = { head: [`${prefix}:m:${channel}`], messages: [`${prefix}:s:${channel}`] };
    await this.#admin.del(...(part === undefined ? [...keys.head, ...keys.messages] : keys[part]));
  }

  async unstorable(namespace: string): Promise<string> {
    await this.#admin.set(`${new Keys(namespace, 0).bus()}:s:/bad`, "no stream");
    return "/bad";
  }

  async stop(): Promise<void> {
    await closeRedis(this.#admin);
  }

  #open(purpose: "commands" | "subscriber"): RedisClient {
    const client = openRedis({ url: this.#url, name: `test-${purpose}`, purpose, onState: () => {} });
    client.on("error", () => {});
    return client;
  }
}

export class PostgresBusServer implements BusServer {
  readonly options: BusServer["options"];
  readonly port: number;
  readonly #server: PostgresServer;

  constructor(server: PostgresServer) {
    this.#server = server;
    this.port = server.port;
    this.options = { backend: "postgres", url: server.url };
  }

  async backend({
    namespace,
    globalIndex = false,
    onBell = noBell,
    onGap = noGap,
  }: BackendOptions & { namespace: string }) {
    const around = { clock: systemClock, random: Math.random };
    const backend = new PostgresBackend({ url: this.#server.url, namespace, globalIndex, ...around });
    await backend.start({ bell: onBell, gap: onGap });
    return { backend, close: () => backend.stop() };
  }

  async cut(which: "bells" | "statements"): Promise<void> {
    const name = which === "bells" ? "antiphon:bus-listener" : "antiphon:bus";
    await this.#server.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", [
      name,
    ]);
  }

  /** Head and messages are lost together, or the messages alone. */
  async forget(namespace: string, channel: string, part?: "head" | "messages"): Promise<void> {
    const channels = "SELECT id FROM antiphon.bus_channels WHERE namespace = $1 AND name = $2";
    await this.#server.ask(`DELETE FROM antiphon.bus_messages WHERE channel_id IN (${channels})`, [namespace, channel]);
    if (part === "messages") return;
    await this.#server.ask("DELETE FROM antiphon.bus_channels WHERE namespace = $1 AND name = $2", [
      namespace,
      channel,
    ]);
  }

  async unstorable(): Promise<string> {
    return `/${"x".repeat(3_000)}`;
  }

  async stop(): Promise<void> {}
}

export interface Stage {
  readonly server: BusServer;
  /** Of this test alone. */
  readonly namespace: string;
  /** Called after the test, the last one first. */
  readonly closers: (() => Promise<unknown>)[];
  backend(options?: BackendOptions): Promise<Backend>;
  bus(options?: OpenBusOptions): Promise<MessageBus>;
}

/** Defines a suite once for each kind of server. */
export function eachBusServer(suite: (stage: Stage) => void): void {
  eachServer((_kind, getUrl) => staged(async () => new RedisBusServer(getUrl()), suite));
  describe("postgres", () => {
    withPostgres(() => staged(async () => new PostgresBusServer(await testPostgres()), suite));
  });
}

function staged(open: () => Promise<BusServer>, suite: (stage: Stage) => void): void {
  const closers: (() => Promise<unknown>)[] = [];
  let server: BusServer;
  let namespace = `s${randomId()}`;
  beforeAll(async () => {
    server = await open();
  }, 60_000);
  afterEach(async () => {
    for (const close of closers.splice(0).toReversed()) await close();
    namespace = `s${randomId()}`;
  });
  afterAll(() => server?.stop());
  suite({
    get server() {
      return server;
    },
    get namespace() {
      return namespace;
    },
    closers,
    backend: async (options = {}) => {
      const { backend, close } = await server.backend({ namespace, ...options });
      closers.push(close);
      return backend;
    },
    bus: async (options = {}) => {
      const bus = await openBus({ ...server.options, namespace, ...options });
      closers.push(() => bus.close());
      return bus;
    },
  });
}
