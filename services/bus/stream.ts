// One open connection and the channels that it reads: first what they hold, then live. Nothing twice, nothing left out, in
// order. A connection that does not drain is closed; the others are never delayed by it.
//
//   attaching ──first page──▶ live ──▶ closed      each channel for itself: behind ──▶ live
//       └─────────────────────────────▲

import type { Batch, CloseReason, Conn, Face, Part, Reset } from "./face.ts";
import type { Feed } from "./feed.ts";
import type { BusMessage } from "./message.ts";
import type { Page } from "./page.ts";
import { mayRead, type Reader } from "./targets.ts";

const QUEUED_BYTES_MAX = 1024 * 1024;
const STUCK_MS = 5_000;
const IDLE_MS = 15_000;
const MOVED_MS = 1_000;
const RECHECK_MS = 60_000;

/** One channel of a stream. */
export class Sub {
  readonly stream: Stream;
  readonly feed: Feed;
  epoch = "";
  offset = 0;
  /** It takes what the feed has. Before, it reads pages. */
  live = false;
  /** Its position moved without a word. */
  moved = false;

  constructor(stream: Stream, feed: Feed) {
    this.stream = stream;
    this.feed = feed;
  }
}

export interface StreamOptions {
  readonly conn: Conn;
  readonly face: Face;
  readonly reader: Reader;
  /** Called once, when the stream is closed by whomever. */
  readonly onClosed: (stream: Stream, reason: CloseReason | "left") => void;
  /** And this after it. */
  readonly afterwards?: (() => void) | undefined;
  readonly now: () => number;
  /** Monotonic; then it is ended, and its client may come back. */
  readonly endsAt?: number | undefined;
  /** Asked now and then. */
  readonly mayStay?: (() => Promise<boolean>) | undefined;
}

export class Stream {
  readonly subs: Sub[] = [];
  readonly #options: StreamOptions;
  #state: "attaching" | "live" | "closed" = "attaching";
  #sentAt: number;
  #checkedAt: number;
  #movedAt = 0;
  /** Some channel's position moved without a word. */
  #moved = false;
  /** Since when, and with how many bytes, the connection has not drained. */
  #stuckSince = 0;
  #stuckBytes = 0;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#sentAt = this.#checkedAt = options.now();
  }

  get reader(): Reader {
    return this.#options.reader;
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  get face(): Face {
    return this.#options.face;
  }

  get bytesQueued(): number {
    return this.#options.conn.bytesQueued;
  }

  /** Pages of some of its channels: the backlog, bit by bit. */
  pages(read: readonly (readonly [Sub, Page])[]): void {
    if (this.#state === "closed") return;
    const parts = read.map(([sub, page]) => this.#part(sub, page));
    const frame = this.#state === "attaching" ? this.face.first(parts, this) : this.face.more(parts, this);
    this.#state = "live";
    if (frame !== undefined) this.#send(frame);
  }

  #part(sub: Sub, page: Page): Part {
    const messages = page.messages.filter((message) => this.#sees(sub, message));
    sub.epoch = page.at.epoch;
    sub.offset = page.at.offset;
    return { ...page, sub, messages, hidden: messages.length < page.messages.length };
  }

  /** Takes what a feed has, in its order; what was sent already is dropped. */
  offer(sub: Sub, batch: Batch): void {
    if (this.#state === "closed") return;
    const { messages, plain } = batch;
    const first = messages[0] as BusMessage;
    const last = messages.at(-1) as BusMessage;
    if (sub.epoch === last.epoch && sub.offset >= last.offset) return;
    const follows = sub.offset < first.offset;
    const before = sub.offset;
    sub.epoch = last.epoch;
    sub.offset = last.offset;
    if (plain && follows) return this.#send(batch.frame(this.face, sub));
    const seen = messages.filter((message) => message.offset > before && this.#sees(sub, message));
    if (seen.length > 0) this.#send(this.face.messages(sub, seen));
    else this.#moves(sub);
  }

  /** What could not be told is behind it now. */
  reset(sub: Sub, { head, recent, fresh, before }: Reset): void {
    if (this.#state === "closed" || (sub.epoch === head.epoch && sub.offset >= head.offset)) return;
    // It may have read further than the feed.
    const had = sub.offset;
    sub.epoch = head.epoch;
    sub.offset = head.offset;
    const sees = (message: BusMessage): boolean => this.#sees(sub, message);
    const unheard = fresh.filter((message) => (message.offset > had || message.offset <= before) && sees(message));
    const frame = this.face.reset(sub, { head, recent: recent.filter(sees), fresh: unheard, before });
    if (frame !== undefined) this.#send(frame);
  }

  /** Every second or so: closes what is stuck or old, says something where nothing was said. */
  sweep(): void {
    if (this.#state !== "live") return;
    const now = this.#options.now();
    const { endsAt, mayStay, conn } = this.#options;
    if (this.#isStuck(now) || conn.isGone?.(now) === true) return this.close("slow");
    if (endsAt !== undefined && now >= endsAt) return this.close("ended");
    if (this.#moved && now - this.#movedAt >= MOVED_MS) this.#tellMoved(now);
    if (this.face.idle !== undefined && now - this.#sentAt >= IDLE_MS) this.#send(this.face.idle);
    if (mayStay === undefined || now - this.#checkedAt < RECHECK_MS) return;
    this.#checkedAt = now;
    void mayStay().then((may) => {
      if (!may) this.close("revoked");
    });
  }

  close(reason: CloseReason): void {
    if (this.#state === "closed") return;
    const { conn, face } = this.#options;
    if (reason !== "slow" && face.last !== undefined) conn.send(face.last(this));
    this.leave(reason);
    conn.close(reason);
  }

  /** The connection is gone. */
  leave(reason: CloseReason | "left" = "left"): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    for (const sub of this.subs) sub.live = false;
    this.#options.onClosed(this, reason);
    this.#options.afterwards?.();
  }

  #sees(sub: Sub, message: BusMessage): boolean {
    if (this.#options.reader.isOurs === true) return true;
    if (!sub.feed.passes(message)) return false;
    return message.targets === undefined || mayRead(message.targets, this.#options.reader);
  }

  #isStuck(now: number): boolean {
    const bytes = this.#options.conn.bytesQueued;
    if (bytes === 0) this.#stuckBytes = 0;
    else if (this.#stuckBytes === 0 || bytes < this.#stuckBytes) {
      this.#stuckBytes = bytes;
      this.#stuckSince = now;
    } else return now - this.#stuckSince >= STUCK_MS;
    return false;
  }

  #moves(sub: Sub): void {
    if (this.face.moved === undefined) return;
    sub.moved = true;
    this.#moved = true;
  }

  #tellMoved(now: number): void {
    const subs = this.subs.filter((sub) => sub.moved);
    for (const sub of subs) sub.moved = false;
    this.#moved = false;
    this.#movedAt = now;
    if (this.face.moved !== undefined && subs.length > 0) this.#send(this.face.moved(subs));
  }

  #send(frame: Buffer): void {
    const { conn, now } = this.#options;
    if (this.#state === "closed") return;
    this.#sentAt = now();
    conn.send(frame);
    if (conn.bytesQueued > QUEUED_BYTES_MAX) this.close("slow");
  }
}
