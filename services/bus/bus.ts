// Publish/subscribe with backlog. Channels keep their newest messages; a reader that comes back with its position gets
// all that followed, on any process, or is told that it cannot. Pub/sub is only a doorbell that happens to carry the message.

import type { Clock, Random } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { Loop } from "../runtime/loop.ts";
import type { Part as RuntimePart } from "../runtime/part.ts";
import type { Emit } from "../telemetry/events.ts";
import { type Backend, RETENTION, type Retention } from "./backend.ts";
import type { CloseReason, Conn, Face } from "./face.ts";
import type { Feed } from "./feed.ts";
import { Feeds } from "./feeds.ts";
import { Filters } from "./filters.ts";
import { Lag } from "./lag.ts";
import { type Published, Publisher } from "./publisher.ts";
import { Reading, type Want } from "./reading.ts";
import { Stream } from "./stream.ts";
import type { Reader } from "./targets.ts";

const SWEEP_MS = 1_000;
const COMPARE_MS = 5_000;
const BUFFER = { messages: 1000, bytes: 8 * 1024 * 1024 } as const;
const FLUSH_MS = 1_000;

export interface BusOptions {
  readonly backend: Backend;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
  /** What channels keep. */
  readonly keep?: Retention | undefined;
  /** How often open streams are looked at. */
  readonly sweepMs?: number | undefined;
  /** Between reading what a channel holds and going live, for tests. */
  readonly beforeLive?: ((channels: readonly string[]) => Promise<void>) | undefined;
}

export interface Attach {
  readonly wants: readonly Want[];
  readonly conn: Conn;
  readonly face: Face;
  readonly reader: Reader;
  /** How many messages a reader gets that cannot be brought up to date. */
  readonly recent?: number;
  /** How long it may stay, ms. */
  readonly lifeMs?: number;
  readonly mayStay?: (() => Promise<boolean>) | undefined;
  readonly onClosed?: (() => void) | undefined;
}

export class Bus implements RuntimePart {
  readonly name = "bus";
  readonly backend: Backend;
  readonly filters = new Filters();
  /** How many streams were closed, by reason. */
  readonly closed = new Map<string, number>();
  /** How many messages this process wanted to write of its own accord. */
  published = 0;
  /** How late messages are. */
  readonly lag: Lag;
  readonly #options: BusOptions;
  readonly #loop: Loop;
  readonly #publisher: Publisher;
  readonly #feeds: Feeds;
  readonly #reading: Reading;
  readonly #streams = new Set<Stream>();
  readonly #now = (): number => this.#options.clock.monotonic();
  readonly #bornAt: number;
  #comparedAt = 0;
  #stopping = false;

  constructor(options: BusOptions) {
    this.#options = options;
    this.backend = options.backend;
    const { clock, random, emit, sweepMs = SWEEP_MS, backend } = options;
    this.lag = new Lag(clock);
    this.#bornAt = clock.monotonic();
    this.#feeds = new Feeds({ backend, filters: this.filters, emit, lag: this.lag });
    this.#reading = new Reading({ backend, feeds: this.#feeds, clock, random, beforeLive: options.beforeLive });
    const onError = (error: unknown): void => emit("loop.failed", { loop: "bus", error });
    this.#loop = new Loop({ name: "bus", intervalMs: sweepMs, tick: () => this.#tick(), onError, clock, random });
    const seen = (channel: string): number => this.#feeds.all.get(channel)?.at?.offset ?? 0;
    this.#publisher = new Publisher({ backend, clock, random, limits: BUFFER, seen });
  }

  async start(): Promise<void> {
    await this.backend.start({
      bell: (channel, position, message) => this.#feeds.all.get(channel)?.ring(position, message),
      gap: () => this.#gapHappened(),
    });
    await this.#loop.start();
  }

  async stop(): Promise<void> {
    this.endStreams();
    await this.#loop.stop();
    await this.#publisher.stop(FLUSH_MS);
    await this.backend.stop();
  }

  /**
   * Closes every stream within `overMs`, so that their clients do not all come to the others at once; they bring their
   * positions. No more are taken.
   */
  endStreams(overMs = 0): void {
    this.#stopping = true;
    const { clock, random } = this.#options;
    for (const stream of this.#streams) {
      if (overMs === 0) stream.close("ended");
      else void clock.sleep(random() * overMs).then(() => stream.close("ended"));
    }
  }

  /** No more streams are taken. */
  get isStopping(): boolean {
    return this.#stopping;
  }

  /** Those that are open. */
  get streams(): ReadonlySet<Stream> {
    return this.#streams;
  }

  /** How many readers could not be told everything. */
  get gaps(): number {
    return this.#reading.gaps;
  }

  get upMs(): number {
    return this.#now() - this.#bornAt;
  }

  get feeds(): ReadonlyMap<string, Feed> {
    return this.#feeds.all;
  }

  get publisher(): Pick<Publisher, "waiting" | "isAway"> {
    return this.#publisher;
  }

  /** Writes a message of its own accord. What belongs to a delivery is written by the script that settles it. */
  publish(
    channel: string,
    payload: Buffer,
    { keep = {}, buffer = true }: { keep?: Partial<Retention>; buffer?: boolean } = {},
  ): Promise<Published> {
    this.published++;
    const all = { ...RETENTION, ...this.#options.keep, ...keep };
    return this.#publisher.publish({ channel, payload, keep: all, buffer });
  }

  /**
   * Sends what the channels hold for the reader, then everything live, without hole or repetition: it is registered
   * first and reads second. Throws that the server is away before anything was sent.
   */
  async attach(o: Attach): Promise<Stream> {
    const stream = this.open(o);
    try {
      await this.add(stream, o.wants, o.recent);
    } catch (error) {
      stream.leave();
      throw error;
    }
    return stream;
  }

  /** A stream that reads nothing yet. */
  open(o: Omit<Attach, "wants" | "recent">): Stream {
    if (this.#stopping) throw new AntiphonError(this.backend.unavailable, "This process is stopping.");
    const { clock } = this.#options;
    const stream = new Stream({
      conn: o.conn,
      face: o.face,
      reader: o.reader,
      now: this.#now,
      onClosed: this.#onClosed,
      endsAt: o.lifeMs === undefined ? undefined : clock.monotonic() + o.lifeMs,
      mayStay: o.mayStay,
      afterwards: o.onClosed,
    });
    this.#streams.add(stream);
    return stream;
  }

  /** More channels for an open stream. Resolves when all of them are live; rejects before anything of them was sent. */
  add(stream: Stream, wants: readonly Want[], recent?: number): Promise<void> {
    return this.#reading.add(stream, wants, recent);
  }

  /** What the channels hold for the reader by now, without staying; undefined where the face has no word for nothing. */
  read(o: Omit<Attach, "conn" | "lifeMs">): Promise<Buffer | undefined> {
    return this.#reading.once(o);
  }

  /** Ends one channel of an open stream. */
  remove(stream: Stream, channel: string): boolean {
    const feed = this.#feeds.all.get(channel);
    const sub = stream.subs.find((one) => one.feed === feed);
    if (feed === undefined || sub === undefined) return false;
    stream.subs.splice(stream.subs.indexOf(sub), 1);
    this.#feeds.unsubscribe(sub);
    return true;
  }

  readonly #onClosed = (stream: Stream, reason: CloseReason | "left"): void => {
    this.#streams.delete(stream);
    for (const sub of stream.subs) this.#feeds.unsubscribe(sub);
    this.closed.set(reason, (this.closed.get(reason) ?? 0) + 1);
    if (reason !== "left") this.#options.emit("bus.closed", { channel: stream.subs[0]?.feed.channel ?? "", reason });
  };

  #gapHappened(): void {
    this.#feeds.gap();
    this.#comparedAt = 0;
    this.#loop.wake();
  }

  async #tick(): Promise<void> {
    for (const stream of this.#streams) stream.sweep();
    const now = this.#options.clock.monotonic();
    if (this.#feeds.all.size === 0 || (this.#comparedAt !== 0 && now - this.#comparedAt < COMPARE_MS)) return;
    this.#comparedAt = now;
    await this.#feeds.compare();
  }
}
