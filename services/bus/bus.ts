// Publish/subscribe with backlog. Channels keep their newest messages; a reader that comes back with its position gets
// all that followed, on any process, or is told that it cannot. Pub/sub is only a doorbell that happens to carry the message.

import type { RedisClient } from "../redis/connect.ts";
import { bellOf, type Keys } from "../redis/keys.ts";
import { loadScript, runScript, text } from "../redis/scripts.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { randomId } from "../runtime/ids.ts";
import { Loop } from "../runtime/loop.ts";
import type { Part } from "../runtime/part.ts";
import type { Emit } from "../telemetry/events.ts";
import { readAfter, readRecent, type Source } from "./backlog.ts";
import { Feed } from "./feed.ts";
import { NOWHERE, type Position } from "./position.ts";
import { type Beginning, type Conn, type Face, Stream } from "./stream.ts";

const PUBLISH = loadScript(new URL("./lua/publish.lua", import.meta.url));

/** What a channel keeps; the broker, which publishes within its own scripts, keeps the same. */
export const RETENTION = { messages: 1000, ageMs: 7 * 24 * 3_600_000 } as const;

const BACKLOG_MAX = 300;
/** What follows when a live reader missed something for good. */
const RECENT_AFTER_LOSS = 50;
const BACKLOG_BYTES_MAX = 1024 * 1024;
const SWEEP_MS = 1_000;
const COMPARE_MS = 5_000;

export interface BusOptions {
  readonly commands: RedisClient;
  readonly subscriber: RedisClient;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
}

export interface Attach {
  readonly channel: string;
  readonly conn: Conn;
  readonly face: Face;
  /** Where the reader stood. Left out: it gets the newest `recent` messages. */
  readonly after?: Position;
  /** How many messages a reader without a position gets, or one that cannot be brought up to date. */
  readonly recent: number;
}

/** A connection that is attached. */
export interface Attached {
  /** To be called when the connection is gone. */
  leave(): void;
}

export class Bus implements Part {
  readonly name = "bus";
  readonly #options: BusOptions;
  readonly #source: Source;
  readonly #loop: Loop;
  readonly #feeds = new Map<string, Feed>();
  readonly #bells = new Map<string, Promise<unknown>>();
  #comparedAt = 0;
  #stopping = false;

  constructor(options: BusOptions) {
    this.#options = options;
    this.#source = { client: options.commands, keys: options.keys };
    const { clock, random, emit } = options;
    const onError = (error: unknown): void => emit("loop.failed", { loop: "bus", error });
    this.#loop = new Loop({ name: "bus", intervalMs: SWEEP_MS, tick: () => this.#tick(), onError, clock, random });
  }

  async start(): Promise<void> {
    this.#options.subscriber.on("smessageBuffer", this.#onBell);
    this.#options.subscriber.on("ready", this.#onReady);
    await this.#loop.start();
  }

  async stop(): Promise<void> {
    this.endStreams();
    await this.#loop.stop();
    this.#options.subscriber.off("smessageBuffer", this.#onBell);
    this.#options.subscriber.off("ready", this.#onReady);
  }

  /**
   * Closes every stream within `overMs`, so that their clients do not all come to the others at once; they bring their
   * positions. No more are taken.
   */
  endStreams(overMs = 0): void {
    this.#stopping = true;
    const { clock, random } = this.#options;
    for (const stream of [...this.#feeds.values()].flatMap((feed) => [...feed.streams])) {
      if (overMs === 0) stream.close("ended");
      else void clock.sleep(random() * overMs).then(() => stream.close("ended"));
    }
  }

  get streams(): number {
    let count = 0;
    for (const feed of this.#feeds.values()) count += feed.streams.size;
    return count;
  }

  /** Writes a message of its own accord. What belongs to a delivery is written by the script that settles it. */
  async publish(channel: string, payload: Buffer): Promise<Position> {
    const { commands, keys } = this.#options;
    const args = [0, channel, keys.busBell(bellOf(channel)), RETENTION.messages, RETENTION.ageMs, randomId(), payload];
    const reply = await runScript(commands, { script: PUBLISH, keys: [keys.bus()], args });
    const [offset, epoch] = Array.isArray(reply) ? reply : [];
    return { epoch: text(epoch), offset: Number(text(offset)) };
  }

  /**
   * Sends what the channel keeps after `after`, then everything live, without hole or repetition: the stream is
   * registered first and reads second. Throws REDIS_UNAVAILABLE before anything was sent.
   */
  async attach(o: Attach): Promise<Attached> {
    if (this.#stopping) throw new AntiphonError("REDIS_UNAVAILABLE", "This process is stopping.");
    const { clock, emit } = this.#options;
    const feed = this.#feed(o);
    const stream = new Stream({
      conn: o.conn,
      face: o.face,
      now: () => clock.monotonic(),
      onClosed: (reason) => {
        this.#remove(o.channel, feed, stream);
        if (reason !== "left") emit("bus.closed", { channel: o.channel, reason });
      },
    });
    feed.streams.add(stream);
    try {
      await this.#listen(o.channel);
      await feed.open();
      stream.begin(await this.#beginning(o));
    } catch (error) {
      stream.leave();
      throw error;
    }
    return stream;
  }

  async #beginning(o: Attach): Promise<Beginning> {
    if (o.after !== undefined) {
      const found = await readAfter(this.#source, o.channel, { after: o.after, limit: BACKLOG_MAX });
      const last = found.messages.at(-1)?.offset ?? found.head.offset;
      if (found.recovered && last === found.head.offset && bytesOf(found) <= BACKLOG_BYTES_MAX) return found;
    }
    const newest = await readRecent(this.#source, o.channel, Math.max(o.recent, 1));
    const messages = o.recent === 0 ? [] : newest.messages;
    return { recovered: o.after === undefined, messages: fitting(messages), head: newest.head };
  }

  #feed(o: Attach): Feed {
    const known = this.#feeds.get(o.channel);
    if (known) return known;
    const onError = (error: unknown): void => this.#options.emit("loop.failed", { loop: "bus", error });
    const feed = new Feed({ source: this.#source, channel: o.channel, recent: RECENT_AFTER_LOSS, onError });
    this.#feeds.set(o.channel, feed);
    return feed;
  }

  #remove(channel: string, feed: Feed, stream: Stream): void {
    feed.streams.delete(stream);
    if (feed.streams.size === 0 && this.#feeds.get(channel) === feed) this.#feeds.delete(channel);
  }

  /** Resolves when the channel's doorbell is heard. */
  async #listen(channel: string): Promise<void> {
    const bell = this.#options.keys.busBell(bellOf(channel));
    let listening = this.#bells.get(bell);
    if (listening === undefined) {
      listening = this.#options.subscriber.ssubscribe(bell);
      this.#bells.set(bell, listening);
      listening.catch(() => this.#bells.delete(bell));
    }
    await listening.catch((cause: unknown) => {
      throw new AntiphonError("REDIS_UNAVAILABLE", "", { cause });
    });
  }

  /** Doorbells that nobody here waits for. On one connection a later `ssubscribe` of the same bell wins. */
  async #forgetBells(): Promise<void> {
    const { keys, subscriber } = this.#options;
    const wanted = new Set([...this.#feeds.keys()].map((channel) => keys.busBell(bellOf(channel))));
    for (const bell of this.#bells.keys()) {
      if (wanted.has(bell)) continue;
      this.#bells.delete(bell);
      await subscriber.sunsubscribe(bell);
    }
  }

  readonly #onBell = (_bell: Buffer, rung: Buffer): void => {
    const end = rung.indexOf(0x0a);
    const [offset, epoch, ...rest] = rung.toString("utf8", 0, end).split("|");
    const feed = this.#feeds.get(rest.join("|"));
    feed?.ring({ epoch: epoch ?? "", offset: Number(offset), data: rung.subarray(end + 1) });
  };

  /** The subscriber is back: messages may have passed meanwhile. */
  readonly #onReady = (): void => {
    this.#bells.clear();
    this.#comparedAt = 0;
    this.#loop.wake();
  };

  async #tick(): Promise<void> {
    for (const feed of this.#feeds.values()) for (const stream of feed.streams) stream.sweep();
    const now = this.#options.clock.monotonic();
    if (this.#feeds.size === 0 || (this.#comparedAt !== 0 && now - this.#comparedAt < COMPARE_MS)) return;
    this.#comparedAt = now;
    await this.#keepListening();
    await this.#compare();
  }

  async #keepListening(): Promise<void> {
    await Promise.all([...this.#feeds.keys()].map((channel) => this.#listen(channel)));
    await this.#forgetBells();
  }

  /** Doorbells can be lost: looks where the channels stand. */
  async #compare(): Promise<void> {
    const { commands, keys } = this.#options;
    const feeds = [...this.#feeds];
    const asks = feeds.map(([channel]) => commands.hmget(`${keys.bus()}:m:${channel}`, "e", "o"));
    const heads = await Promise.all(asks);
    for (const [index, [, feed]] of feeds.entries()) {
      const [epoch, offset] = heads[index] ?? [];
      feed.seen(epoch && offset ? { epoch, offset: Number(offset) } : NOWHERE);
    }
  }
}

function bytesOf(backlog: Beginning): number {
  return backlog.messages.reduce((sum, message) => sum + message.data.byteLength, 0);
}

/** The newest of them that fit into a reply. */
function fitting(messages: Beginning["messages"]): Beginning["messages"] {
  let bytes = 0;
  let first = messages.length;
  while (first > 0 && (bytes += messages[first - 1]?.data.byteLength ?? 0) <= BACKLOG_BYTES_MAX) first--;
  return messages.slice(first);
}
