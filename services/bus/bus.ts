// Publish/subscribe with backlog. Channels keep their newest messages; a reader that comes back with its position gets
// all that followed, on any process, or is told that it cannot. Pub/sub is only a doorbell that happens to carry the message.

import { backoffMs } from "../runtime/backoff.ts";
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
import { type Page, readPage } from "./page.ts";
import { type From, NOWHERE } from "./position.ts";
import { type Published, Publisher } from "./publisher.ts";
import { Stream, Sub } from "./stream.ts";
import type { Reader } from "./targets.ts";

const SWEEP_MS = 1_000;
const COMPARE_MS = 5_000;
const BUFFER = { messages: 1000, bytes: 8 * 1024 * 1024 } as const;
const FLUSH_MS = 1_000;
/** A reader that needs more pages than this never gets there: more is said than it can read. */
const PAGES_MAX = 100;
const RETRY = { firstMs: 50, maxMs: 2_000 };
const DRAIN_POLL_MS = 20;
const DRAINED_BYTES = 64 * 1024;

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

/** A channel, as it is stored, and from where on. */
export interface Want {
  readonly channel: string;
  readonly from: From;
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
  /** How many readers could not be told everything. */
  gaps = 0;
  readonly #options: BusOptions;
  readonly #loop: Loop;
  readonly #publisher: Publisher;
  readonly #feeds: Feeds;
  readonly #streams = new Set<Stream>();
  readonly #now = (): number => this.#options.clock.monotonic();
  #comparedAt = 0;
  #stopping = false;

  constructor(options: BusOptions) {
    this.#options = options;
    this.backend = options.backend;
    const { clock, random, emit, sweepMs = SWEEP_MS, backend } = options;
    this.#feeds = new Feeds({ backend, filters: this.filters, emit });
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
  async add(stream: Stream, wants: readonly Want[], recent = 0): Promise<void> {
    let behind = wants.map(({ channel, from }) => ({ sub: this.#feeds.subscribe(stream, channel), channel, from }));
    await Promise.all(
      behind.map(async ({ sub, channel }) => {
        await this.backend.listen(channel);
        await sub.feed.open();
      }),
    );
    // Whoever is refused here has heard nothing. From then on a failure is ours: it reads on when the server is back.
    behind = await this.#round(stream, behind, recent);
    for (let pages = 1, failures = 0; behind.length > 0 && !stream.isClosed;) {
      if (pages > PAGES_MAX && stream.reader.isOurs !== true) return stream.close("slow");
      try {
        await this.#settled(stream, behind);
        behind = await this.#round(stream, behind, recent);
        pages++;
        failures = 0;
      } catch (error) {
        if (!(error instanceof AntiphonError)) throw error;
        await this.#options.clock.sleep(backoffMs(failures++, RETRY, this.#options.random));
      }
    }
  }

  /** A page of each channel; answers those that have to read on. */
  async #round<W extends Want & { sub: Sub }>(stream: Stream, behind: readonly W[], recent: number): Promise<W[]> {
    const read = await Promise.all(behind.map((want) => this.#page(want, recent)));
    await this.#options.beforeLive?.(behind.map(({ channel }) => channel));
    if (stream.isClosed) return [];
    this.gaps += read.filter(({ recovered }) => !recovered).length;
    stream.pages(behind.map(({ sub }, index) => [sub, this.#bridged(sub.feed, read[index] as Page)]));
    return behind.filter(({ sub }) => !this.#goLive(sub)).map(resumed);
  }

  /** What the channels hold for the reader by now, without staying; undefined where the face has no word for nothing. */
  async read(o: Omit<Attach, "conn" | "lifeMs">): Promise<Buffer | undefined> {
    let said: Buffer | undefined;
    const conn = { bytesQueued: 0, send: (frame: Buffer) => void (said = frame), close: () => {} };
    const { face, reader, recent = 0 } = o;
    const stream = new Stream({ conn, face, reader, now: () => 0, onClosed: () => {} });
    const pages = await Promise.all(o.wants.map((want) => readPage(this.backend, { ...want, recent })));
    this.gaps += pages.filter(({ recovered }) => !recovered).length;
    const subs = o.wants.map(({ channel }) => new Sub(stream, this.#feeds.newFeed(channel)));
    stream.pages(subs.map((sub, index) => [sub, pages[index] as Page]));
    return said;
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

  /** From memory where that is enough: a crowd that comes back asks the server for nothing. */
  async #page({ sub, channel, from }: Want & { sub: Sub }, recent: number): Promise<Page> {
    const { at } = sub.feed;
    const found = { recovered: true, tell: false, more: false };
    if (at !== undefined && this.#feeds.areTrusted) {
      if (from.kind === "now") return { ...found, tell: from.tell === true, messages: [], at };
      if (from.kind === "after") {
        const messages = sub.feed.since({ epoch: from.epoch ?? at.epoch, offset: from.offset });
        if (messages !== undefined) return { ...found, messages, at };
      }
    }
    return readPage(this.backend, { channel, from, recent });
  }

  /** With what came since it was read. */
  #bridged(feed: Feed, page: Page): Page {
    const since = page.more ? undefined : feed.since(page.at);
    const last = since?.at(-1);
    return since === undefined || last === undefined
      ? page
      : { ...page, messages: [...page.messages, ...since], at: { epoch: last.epoch, offset: last.offset } };
  }

  /** False: it is not where the channel is, and has to read on. */
  #goLive(sub: Sub): boolean {
    const { at, isGone } = sub.feed;
    const isThere = at !== undefined && sub.epoch === at.epoch && sub.offset >= at.offset;
    sub.live = isThere || (isGone && sub.epoch === NOWHERE.epoch);
    return sub.live;
  }

  /** A slow reader gets its next page when it has taken the last one; a feed that does not know of an epoch yet looks. */
  async #settled(stream: Stream, behind: readonly { readonly sub: Sub }[]): Promise<void> {
    for (const { sub } of behind) if (sub.feed.at?.epoch !== sub.epoch) await sub.feed.refresh();
    while (!stream.isClosed && stream.bytesQueued > DRAINED_BYTES) await this.#options.clock.sleep(DRAIN_POLL_MS);
  }

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

/** From where it got to. */
function resumed<W extends Want & { sub: Sub }>(want: W): W {
  const { epoch, offset } = want.sub;
  return { ...want, from: { kind: "after", offset, epoch } };
}
