// What a program does with the bus: publish, subscribe, look back, and let others in over HTTP. `openBus` makes it.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { FastifyPluginAsync } from "fastify";
import { AntiphonError } from "../runtime/errors.ts";
import { type Part, stopAll } from "../runtime/part.ts";
import type { BusCodec } from "../sdk/bus.ts";
import type { Emit } from "../telemetry/events.ts";
import { extraHeaders } from "./answer.ts";
import { EVERYTHING, type Retention } from "./backend.ts";
import type { Bus } from "./bus.ts";
import { checkChannel, storedName } from "./channel.ts";
import { diagnose, type Diagnostics } from "./diagnostics.ts";
import type { Door } from "./door.ts";
import type { Filter } from "./filters.ts";
import type { Handler } from "./handler.ts";
import { type Heard, heard, listen, type Listener } from "./local.ts";
import { BusMessage, encodePayload } from "./message.ts";
import { fastifyPlugin } from "./fastify.ts";
import type { From, Position } from "./position.ts";
import type { Published } from "./publisher.ts";
import type { Revocations } from "./revocations.ts";
import type { Stream } from "./stream.ts";
import { readTargets, type TargetOptions } from "./targets.ts";
import { acceptUpgrades } from "./upgrades.ts";

/** Of several tenants; left out: what `currentSite` says. */
export interface OfSite {
  readonly site?: string;
}

export interface PublishOptions extends TargetOptions, OfSite {
  /** What this channel keeps from now on. */
  readonly maxMessages?: number;
  /** From its last message on. */
  readonly maxAgeMs?: number;
  /** Default: wait in memory while the server is away. */
  readonly queueInMemory?: boolean;
}

export interface SubscribeOptions extends OfSite {
  /** Where to begin: behind this id or position, or with the newest so many. Default: from now on. */
  readonly last?: number | Position;
  readonly recent?: number;
  /** Something was missed for good; what is newest of it follows. */
  readonly onGap?: (head: Position) => void;
}

/** `off`: nothing was published, because the bus is switched off. */
export type PublishResult = Published | { readonly status: "off" };

export interface MessageBusParts {
  readonly bus: Bus;
  readonly door: Door;
  readonly handler: Handler;
  readonly revocations: Revocations;
  readonly codec: BusCodec;
  readonly emit: Emit;
  readonly currentSite: (() => string | undefined) | undefined;
  readonly globalIndex: boolean;
  readonly maxMessageBytes: number;
  /** From first to last as they were started. */
  readonly parts: readonly Part[];
}

const STOP_MS = 5_000;

interface Subscription {
  readonly channel: string;
  readonly listener: Listener;
  readonly stream: Stream;
}

export class MessageBus {
  /** For Fastify: `app.register(bus.plugin)`. */
  readonly plugin: FastifyPluginAsync;
  readonly #parts: MessageBusParts;
  #subscriptions: Subscription[] = [];
  #isOff = false;

  constructor(parts: MessageBusParts) {
    this.#parts = parts;
    this.plugin = fastifyPlugin(parts.handler, () => parts.bus.endStreams());
    parts.bus.filters.decode = (text) => parts.codec.decode(text);
  }

  /** For Express and Node's own server. Calls `next` for paths that are not the bus', or answers 404 without it. */
  readonly handler = (request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void): void => {
    void this.#handle(request, response, next);
  };

  /**
   * WebSockets on a server of Node's own, which Express' `listen` gives too; the Fastify plugin does it by itself.
   * @throws OPTIONS_INVALID without the option `websocket`
   */
  acceptWebSockets(server: Server): void {
    const { handler } = this.#parts;
    if (!handler.hasWebSockets) throw new AntiphonError("OPTIONS_INVALID", "This needs the bus' option websocket.");
    acceptUpgrades(server, handler);
  }

  // oxlint-disable-next-line max-params -- As middleware is called.
  async #handle(request: IncomingMessage, response: ServerResponse, next: (() => void) | undefined): Promise<void> {
    // What middleware before us set would be lost with an answer that is streamed.
    if (await this.#parts.handler.handle(request, response, extraHeaders(response.getHeaders()))) return;
    if (next !== undefined) return next();
    response.statusCode = 404;
    response.end("not found");
  }

  /**
   * Resolves when the message is stored, or waits in memory because the server is away.
   * @throws OPTIONS_INVALID, VALUE_TOO_LARGE, PUBLISH_FAILED, REDIS_UNAVAILABLE or POSTGRES_UNAVAILABLE
   */
  async publish(channel: string, data: unknown, options: PublishOptions = {}): Promise<PublishResult> {
    checkChannel(channel);
    const { bus, codec, maxMessageBytes } = this.#parts;
    const targets = readTargets(channel, options);
    const keep = keepOf(options);
    const encoded = Buffer.from(codec.encode(data) ?? "null");
    if (encoded.byteLength > maxMessageBytes) {
      throw new AntiphonError("VALUE_TOO_LARGE", `A bus message may have ${maxMessageBytes} bytes.`);
    }
    if (this.#isOff) return { status: "off" };
    const buffer = options.queueInMemory ?? true;
    return bus.publish(this.#stored(channel, options), encodePayload(encoded, targets), { keep, buffer });
  }

  /** Calls `listener` with every message, in order. Resolves when it listens. Give the same function to `unsubscribe`. */
  async subscribe(channel: string, listener: Listener, options: SubscribeOptions = {}): Promise<Listener> {
    checkChannel(channel);
    const stored = this.#stored(channel, options);
    const listening = { channel: stored, listener, from: fromOf(options), onGap: options.onGap };
    const stream = await listen(this.#parts.bus, listening, this.#local);
    this.#subscriptions.push({ channel: stored, listener, stream });
    return listener;
  }

  /** As `subscribe`, to all channels of all sites. Needs `globalIndex`. */
  async subscribeAll(listener: Listener, options: Omit<SubscribeOptions, "site"> = {}): Promise<Listener> {
    this.#needsIndex();
    const { decode } = this.#parts.codec;
    const each = (message: Heard): void => listener(inner(message, decode));
    const local = { ...this.#local, decode: (text: string) => text };
    const listening = { channel: EVERYTHING, listener: each, from: fromOf(options), onGap: options.onGap };
    const stream = await listen(this.#parts.bus, listening, local);
    this.#subscriptions.push({ channel: EVERYTHING, listener, stream });
    return listener;
  }

  /** One function, or all of the channel. False: there was none. */
  unsubscribe(channel: string, listener?: Listener, options: OfSite = {}): boolean {
    const stored = this.#stored(channel, options);
    return this.#end((one) => one.channel === stored && (listener === undefined || one.listener === listener));
  }

  unsubscribeAll(listener: Listener): boolean {
    return this.#end((one) => one.channel === EVERYTHING && one.listener === listener);
  }

  /** What is kept behind an id, oldest first. */
  async backlog(channel: string, after: number, options: OfSite = {}): Promise<Heard[]> {
    const stored = this.#stored(channel, options);
    const messages = await this.#after(stored, after);
    return messages.map((message) => heard(stored, message, this.#parts.codec.decode));
  }

  /** The same of all channels, by global id. Needs `globalIndex`. */
  async globalBacklog(after: number): Promise<Heard[]> {
    this.#needsIndex();
    const messages = await this.#after(EVERYTHING, after);
    const { decode } = this.#parts.codec;
    return messages.map((message) =>
      inner(
        heard(EVERYTHING, message, (text) => text),
        decode,
      ),
    );
  }

  /** The id of the last message; 0 of a channel that holds none. */
  async lastId(channel: string, options: OfSite = {}): Promise<number> {
    const [id = 0] = await this.lastIds([channel], options);
    return id;
  }

  async lastIds(channels: readonly string[], options: OfSite = {}): Promise<number[]> {
    const heads = await this.#parts.bus.backend.heads(channels.map((channel) => this.#stored(channel, options)));
    return heads.map(({ offset }) => offset);
  }

  async lastMessage(channel: string, options: OfSite = {}): Promise<Heard | undefined> {
    const stored = this.#stored(channel, options);
    const { messages } = await this.#parts.bus.backend.recent(stored, 1);
    return messages.map((message) => heard(stored, message, this.#parts.codec.decode))[0];
  }

  /** Messages of channels with this prefix reach readers of the web only if `filter` says so. */
  filter(prefix: string, filter: Filter): void {
    this.#parts.bus.filters.add(prefix, filter);
  }

  /** Somebody lost rights: their streams end, here and in every process, and what they may read is asked anew. */
  async revoke(user: string | number): Promise<void> {
    await this.#parts.revocations.revoke(String(user));
  }

  /** From now on `publish` does nothing. What others publish still arrives. */
  off(): void {
    this.#isOff = true;
  }

  on(): void {
    this.#isOff = false;
  }

  /** Doorbells are heard just now. */
  get isListening(): boolean {
    return this.#parts.bus.backend.hears;
  }

  /** Ends what this process holds, writes what waits, and closes its connections. Tells nobody else to stop. */
  async close(): Promise<void> {
    this.#parts.bus.endStreams();
    await stopAll(this.#parts.parts, STOP_MS);
  }

  /** How it stands, in this process. */
  diagnostics(): Diagnostics {
    return diagnose(this.#parts, CHANNELS_MAX);
  }

  async #after(stored: string, after: number): Promise<readonly BusMessage[]> {
    const all: BusMessage[] = [];
    for (let from = after; all.length < BACKLOG_MAX;) {
      const { head, messages } = await this.#parts.bus.backend.after(stored, from, BACKLOG_MAX - all.length);
      all.push(...messages);
      const last = messages.at(-1);
      if (last === undefined || last.offset >= head.offset) break;
      from = last.offset;
    }
    return all;
  }

  get #local() {
    const { codec, emit } = this.#parts;
    const onError = (channel: string, error: unknown): void => emit("bus.listener-failed", { channel, error });
    return { decode: (text: string) => codec.decode(text), onError };
  }

  #stored(channel: string, { site }: OfSite): string {
    return storedName(channel, site ?? this.#parts.currentSite?.());
  }

  #end(which: (one: Subscription) => boolean): boolean {
    const ended = this.#subscriptions.filter(which);
    this.#subscriptions = this.#subscriptions.filter((one) => !which(one));
    for (const { stream } of ended) stream.leave();
    return ended.length > 0;
  }

  #needsIndex(): void {
    if (this.#parts.globalIndex) return;
    throw new AntiphonError("OPTIONS_INVALID", "This needs the bus' option globalIndex.");
  }
}

const BACKLOG_MAX = 10_000;
/** Told by `diagnostics`. */
const CHANNELS_MAX = 1000;

function fromOf({ last, recent }: SubscribeOptions): From {
  if (typeof last === "number") return { kind: "after", offset: last };
  if (last !== undefined) return { kind: "after", offset: last.offset, epoch: last.epoch };
  return recent === undefined ? { kind: "now" } : { kind: "recent", count: recent };
}

function keepOf({ maxMessages, maxAgeMs }: PublishOptions): Partial<Retention> {
  for (const [name, value] of Object.entries({ maxMessages, maxAgeMs })) {
    if (value === undefined || (Number.isInteger(value) && value > 0)) continue;
    throw new AntiphonError("OPTIONS_INVALID", `${name} must be a whole number above 0.`);
  }
  return { ...(maxMessages && { messages: maxMessages }), ...(maxAgeMs && { ageMs: maxAgeMs }) };
}

/** An entry of the index: STX, the message's id, its channel, then the message as it is stored. */
function inner({ data, offset }: Heard, decode: (text: string) => unknown): Heard {
  const text = String(data);
  const end = text.indexOf("\n");
  const [, id = "", channel = ""] = /^\u0002(\d+) (.*)$/.exec(text.slice(0, end)) ?? [];
  const position = { epoch: "", offset: Number(id) };
  return { ...heard(channel, new BusMessage(position, Buffer.from(text.slice(end + 1))), decode), globalId: offset };
}
