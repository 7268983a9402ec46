// A bus behind a Fastify server of its own, as an application would mount it, and clients that see its bytes.

import { type AddressInfo, connect, type Socket } from "node:net";
import { type FastifyInstance, fastify } from "fastify";
import { afterAll, afterEach } from "vitest";
import { type OpenBusOptions, openBus, type MessageBus } from "../../../services/bus/plugin.ts";
import { closeRedis, openRedis } from "../../../services/redis/connect.ts";
import { randomId } from "../../../services/runtime/ids.ts";
import type { BusIdentity, BusRequest } from "../../../services/sdk/bus.ts";
import { testRedis } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

/** How long a poll is held, as the published tests want it. */
export const HELD_MS = 1_000;

export interface WireMessage {
  readonly global_id: number;
  readonly message_id: number;
  readonly channel: string;
  readonly data: unknown;
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** When the body is an array of messages. */
  readonly messages: readonly WireMessage[];
}

export interface PollOptions {
  readonly id?: string;
  /** `?dlp=t` unless said otherwise. */
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** After the client id. */
  readonly path?: string;
  readonly json?: boolean;
  readonly seq?: number;
}

type Positions = Readonly<Record<string, number | string | null>>;

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

/** One request over a socket of its own, read byte by byte. */
export class Stream {
  /** Before the body. */
  head = "";
  /** The HTTP chunks, without their lengths; the last one is empty when the reply is over. */
  readonly chunks: string[] = [];
  isEnded = false;
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);
  #arrays: (readonly WireMessage[])[] = [];
  #parsed = 0;

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.on("data", (bytes) => this.#take(bytes));
    this.#socket.on("close", () => (this.isEnded = true));
    this.#socket.on("error", () => {});
  }

  /** The body of an answer that is not chunked. */
  get body(): string {
    return this.#rest.toString("utf8");
  }

  #take(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    if (this.head === "") {
      const end = this.#rest.indexOf("\r\n\r\n");
      if (end === -1) return;
      this.head = this.#rest.toString("latin1", 0, end);
      this.#rest = this.#rest.subarray(end + 4);
    }
    if (!/transfer-encoding: chunked/i.test(this.head)) return;
    for (let end = this.#rest.indexOf("\r\n"); end > 0; end = this.#rest.indexOf("\r\n")) {
      const size = Number.parseInt(this.#rest.toString("latin1", 0, end), 16);
      if (this.#rest.byteLength < end + size + 4) return;
      this.chunks.push(this.#rest.toString("utf8", end + 2, end + 2 + size));
      this.#rest = this.#rest.subarray(end + size + 4);
    }
  }

  async send(path: string, positions: Positions, { headers = {}, query = "", seq = 1 }: PollOptions): Promise<void> {
    const entries = Object.entries({ ...positions, __seq: seq }).map(([key, value]) => [key, String(value ?? "")]);
    const body = new URLSearchParams(entries as [string, string][]).toString();
    const all = { host: "x", "content-type": "application/x-www-form-urlencoded", ...headers };
    const lines = Object.entries({ ...all, "content-length": body.length }).map(([name, value]) => `${name}: ${value}`);
    const head = [`POST ${path}${query && `?${query}`} HTTP/1.1`, ...lines, "", body].join("\r\n");
    await new Promise<void>((sent) => this.#socket.write(head, () => sent()));
  }

  /** What the chunks hold: each ends with a separator. */
  get arrays(): readonly (readonly WireMessage[])[] {
    for (; this.#parsed < this.chunks.length; this.#parsed++) {
      const arrays = this.chunks[this.#parsed]?.split("\r\n|\r\n").slice(0, -1) ?? [];
      for (const array of arrays) this.#arrays.push(JSON.parse(array.replaceAll("\r\n||\r\n", "\r\n|\r\n")) as []);
    }
    return this.#arrays;
  }

  get messages(): WireMessage[] {
    return this.arrays.flat();
  }

  /** The data of one channel's messages. */
  dataOf(channel: string): unknown[] {
    return this.messages.filter((message) => message.channel === channel).map(({ data }) => data);
  }

  /** It was answered, so what is published from now on comes live. */
  async isOpen(): Promise<void> {
    await waitFor(() => this.arrays.length > 0, { timeoutMs: 20_000, what: "the first chunk" });
  }

  async ends(): Promise<void> {
    await waitFor(() => this.isEnded || this.chunks.includes(""), { timeoutMs: 20_000, what: "the end of the stream" });
  }

  /** Reads no more, and keeps the connection. */
  stall(): void {
    this.#socket.pause();
  }

  leave(): void {
    this.#socket.destroy();
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

/** For what is opened once per file. */
export function closeAfterAll(test: TestBus): void {
  opened.delete(test);
  afterAll(() => test.close());
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
