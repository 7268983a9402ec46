// One open connection on one channel: first its backlog, then what arrived meanwhile, then live. Nothing twice, nothing
// left out, in order. A connection that does not drain is closed; the others are never delayed by it.
//
//   attaching ──begin()──▶ live ──▶ closed
//       └────────────────────────────▲

import type { BusMessage, Position } from "./position.ts";

/** What a face (SSE, later others) makes of its connection. */
export interface Conn {
  send(frame: Buffer): void;
  /** Bytes sent that the peer has not taken yet. */
  readonly bytesQueued: number;
  close(reason: CloseReason): void;
}

/** ended: by us, the client may come back at once. slow: it did not drain. */
export type CloseReason = "ended" | "slow";

/** How a face writes. Frames are made once per message, however many connections there are. */
export interface Face {
  message(message: BusMessage): Buffer;
  /** The reader missed something that cannot be told any more; what follows is the newest part of the channel. */
  reset(head: Position): Buffer;
  /** Sent when nothing else was for a while, so that nobody in between gives up. */
  readonly idle: Buffer;
}

/** What a feed hands to its streams. */
export type Item =
  | { readonly kind: "message"; readonly message: BusMessage }
  | { readonly kind: "reset"; readonly head: Position; readonly recent: readonly BusMessage[] };

/** Where a stream begins. */
export interface Beginning {
  readonly recovered: boolean;
  readonly messages: readonly BusMessage[];
  readonly head: Position;
}

const QUEUED_BYTES_MAX = 1024 * 1024;
const STUCK_MS = 5_000;
const IDLE_MS = 15_000;

export interface StreamOptions {
  readonly conn: Conn;
  readonly face: Face;
  /** Called once, when the stream is closed by whomever. */
  readonly onClosed: (reason: CloseReason | "left") => void;
  readonly now: () => number;
}

export class Stream {
  readonly #options: StreamOptions;
  #state: "attaching" | "live" | "closed" = "attaching";
  #early: Item[] = [];
  #earlyBytes = 0;
  #epoch = "";
  #offset = 0;
  #sentAt: number;
  /** Since when, and with how many bytes, the connection has not drained. */
  #stuck: { since: number; bytes: number } | undefined;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#sentAt = options.now();
  }

  /** The backlog, then what was offered meanwhile; from now on live. */
  begin(from: Beginning): void {
    if (this.#state !== "attaching") return;
    this.#state = "live";
    this.#epoch = from.head.epoch;
    this.#offset = from.head.offset;
    if (!from.recovered) this.#send(this.#options.face.reset(from.head));
    for (const message of from.messages) this.#send(this.#options.face.message(message));
    for (const item of this.#early.splice(0)) this.offer(item);
  }

  /** Takes what the feed has, in its order; what was sent already is dropped. */
  offer(item: Item): void {
    if (this.#state === "attaching") return this.#keep(item);
    if (this.#state === "closed") return;
    if (item.kind === "message") return this.#message(item.message);
    const sameEpoch = item.head.epoch === this.#epoch;
    if (!sameEpoch || this.#offset < item.head.offset) this.#send(this.#options.face.reset(item.head));
    if (!sameEpoch) this.#offset = 0;
    this.#epoch = item.head.epoch;
    for (const message of item.recent) this.#message(message);
  }

  /** Once a second: closes what is stuck, says something where nothing was said. */
  sweep(): void {
    if (this.#state !== "live") return;
    const { conn, face, now } = this.#options;
    const bytes = conn.bytesQueued;
    if (bytes === 0) this.#stuck = undefined;
    else if (this.#stuck === undefined || bytes < this.#stuck.bytes) this.#stuck = { since: now(), bytes };
    else if (now() - this.#stuck.since >= STUCK_MS) return this.close("slow");
    if (now() - this.#sentAt >= IDLE_MS) this.#send(face.idle);
  }

  close(reason: CloseReason): void {
    if (this.#state === "closed") return;
    this.leave(reason);
    this.#options.conn.close(reason);
  }

  /** The connection is gone. */
  leave(reason: CloseReason | "left" = "left"): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#early = [];
    this.#options.onClosed(reason);
  }

  #message(message: BusMessage): void {
    if (message.epoch === this.#epoch && message.offset <= this.#offset) return;
    this.#epoch = message.epoch;
    this.#offset = message.offset;
    this.#send(this.#options.face.message(message));
  }

  #keep(item: Item): void {
    this.#early.push(item);
    const messages = item.kind === "message" ? [item.message] : item.recent;
    for (const message of messages) this.#earlyBytes += message.data.byteLength;
    if (this.#earlyBytes > QUEUED_BYTES_MAX) this.close("slow");
  }

  #send(frame: Buffer): void {
    const { conn, now } = this.#options;
    if (this.#state === "closed") return;
    conn.send(frame);
    this.#sentAt = now();
    if (conn.bytesQueued > QUEUED_BYTES_MAX) this.close("slow");
  }
}
