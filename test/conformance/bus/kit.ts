// A bus behind a Fastify server of its own, as an application would mount it, and clients that see its bytes.

import type { AddressInfo } from "node:net";
import { type FastifyInstance, fastify } from "fastify";
import { afterEach } from "vitest";
import { type MessageBus, openBus, type OpenBusOptions } from "../../../services/bus/plugin.ts";
import { closeRedis, openRedis } from "../../../services/redis/connect.ts";
import { randomId } from "../../../services/runtime/ids.ts";
import type { BusIdentity, BusRequest } from "../../../services/sdk/bus.ts";
import { testRedis } from "../../support/redis.ts";
import { type PollOptions, type Positions, Stream, type WireMessage } from "./stream.ts";

/** How long a poll is held, as the published tests want it. */
export const HELD_MS = 1_000;

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** When the body is an array of messages. */
  readonly messages: readonly WireMessage[];
}

export class TestBus {
  readonly bus: MessageBus;
  readonly url: string;
  readonly port: number;
  readonly app: FastifyInstance;
  base = "/";
  readonly #attached: { readonly count: number };
  readonly #before: number;
  readonly #streams = new Set<Stream>();

  constructor(o: { bus: MessageBus; app: FastifyInstance; attached: { readonly count: number } }) {
    const { bus, app } = o;
    this.bus = bus;
    this.app = app;
    this.#attached = o.attached;
    this.#before = o.attached.count;
    this.port = (app.server.address() as AddressInfo).port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  /** How many requests have read what their channels hold, and go live. */
  get attached(): number {
    return this.#attached.count - this.#before;
  }

  /** @returns the message's id */
  async publish(channel: string, data: unknown, options: Parameters<MessageBus["publish"]>[2] = {}): Promise<number> {
    const published = await this.bus.publish(channel, data, options);
    if (published.status !== "stored") throw new Error("It was only buffered.");
    return published.offset;
  }

  /** Messages of 50 KB with their numbers, from 1 on: more than the kernel keeps for a connection, and our limit beside it. */
  async flood(channel: string, messages = 300): Promise<void> {
    const text = "x".repeat(50_000);
    for (let n = 1; n <= messages; n += 10) {
      await Promise.all(Array.from({ length: 10 }, (_, k) => this.bus.publish(channel, { n: n + k, text })));
    }
  }

  async poll(positions: Positions, options: PollOptions = {}): Promise<Reply> {
    const { id = randomId(), query = "dlp=t", headers = {}, path = "", json = false, seq = 1 } = options;
    const asked = { ...positions, __seq: seq };
    const form = new URLSearchParams(Object.entries(asked).map(([key, value]) => [key, String(value ?? "")]));
    const response = await fetch(`${this.url}${this.base}message-bus/${id}/poll${path}${query && `?${query}`}`, {
      method: "POST",
      headers: { ...(json && { "content-type": "application/json" }), ...headers },
      body: json ? JSON.stringify(asked) : form,
    });
    const text = await response.text();
    const messages = text.startsWith("[") && !text.includes("\r\n|\r\n") ? (JSON.parse(text) as WireMessage[]) : [];
    return { status: response.status, headers: response.headers, text, messages };
  }

  /** A request that is streamed. Resolves when it was sent. */
  async stream(positions: Positions, options: PollOptions = {}): Promise<Stream> {
    const stream = new Stream(this.port);
    this.#streams.add(stream);
    await stream.send(`${this.base}message-bus/${options.id ?? randomId()}/poll`, positions, options);
    return stream;
  }

  /** Open connections to the server. */
  connections(): Promise<number> {
    return new Promise((done, fail) =>
      this.app.server.getConnections((error, count) => (error ? fail(error) : done(count))),
    );
  }

  async close(): Promise<void> {
    for (const stream of this.#streams) stream.leave();
    await this.bus.close();
    await this.app.close();
  }
}

const opened = new Set<TestBus>();

afterEach(async () => {
  for (const test of opened) {
    opened.delete(test);
    await test.close();
  }
});

export interface OpenOptions extends Omit<OpenBusOptions, "idSeed"> {
  /** Ids begin as they do in the product, and not at 1. */
  readonly realIds?: boolean;
  /** Before the bus is mounted. */
  readonly prepare?: (app: FastifyInstance) => void;
}

/**
 * Closed after the test. Who asks is read from the headers x-user, x-groups and x-site. Unless said otherwise everything may
 * be read, ids begin at 1 and polls are held for a second, as in the published tests.
 */
export async function openTestBus({ prepare, realIds = false, ...options }: OpenOptions = {}): Promise<TestBus> {
  const { url } = await testRedis();
  const attached = { count: 0 };
  const hooks = {
    beforeLive: async (channels: readonly string[]): Promise<void> => {
      attached.count++;
      await options.hooks?.beforeLive?.(channels);
    },
  };
  const bus = await openBus({
    backend: "redis",
    url,
    access: options.authorize === undefined ? "open" : "deny",
    identify,
    longPollMs: HELD_MS,
    ...(!realIds && { idSeed: "zero" }),
    namespace: `t${randomId()}`,
    ...options,
    hooks,
  });
  const app = fastify({ routerOptions: { maxParamLength: 256 } });
  prepare?.(app);
  await app.register(bus.plugin);
  await app.listen({ port: 0, host: "127.0.0.1" });
  const test = new TestBus({ bus, app, attached });
  test.base = options.basePath ?? "/";
  opened.add(test);
  return test;
}

export function identify({ headers }: BusRequest): BusIdentity {
  const text = (name: string): string | undefined => headers[name]?.toString();
  return { user: text("x-user"), groups: text("x-groups")?.split(",") ?? [], site: text("x-site") };
}

export const idsOf = (messages: readonly WireMessage[]): number[] => messages.map(({ message_id }) => message_id);

export const statusOf = (messages: readonly WireMessage[]): unknown =>
  messages.find(({ channel }) => channel === "/__status")?.data;

/** One command to the server of this file, behind the back of every bus. */
export async function onRedis(command: string, ...args: (string | number)[]): Promise<unknown> {
  const { url } = await testRedis();
  const client = openRedis({ url, name: "test", purpose: "commands", onState: () => {} });
  try {
    return await client.call(command, ...args);
  } finally {
    await closeRedis(client);
  }
}
