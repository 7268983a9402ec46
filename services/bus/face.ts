// What turns a connection into bytes: a face (poll, server-sent events, WebSocket …) says how, a conn carries them.

import type { BusMessage } from "./message.ts";
import type { Page } from "./page.ts";
import type { Position } from "./position.ts";
import type { Stream, Sub } from "./stream.ts";

export interface Conn {
  send(frame: Buffer): void;
  /** Bytes sent that the peer has not taken yet. */
  readonly bytesQueued: number;
  close(reason: CloseReason): void;
  /** Asked every second or so, with the monotonic time: nobody is there any more. */
  isGone?(now: number): boolean;
}

/** ended: by us, the client may come back at once. slow: it did not drain. revoked: it may not read any more. */
export type CloseReason = "ended" | "slow" | "revoked";

/** A page of one channel, with only what its reader may see. `hidden`: some of it was for others. */
export interface Part extends Page {
  readonly sub: Sub;
  readonly hidden: boolean;
}

/** What follows when a live reader missed something for good. */
export interface Reset {
  readonly head: Position;
  /** The newest part of the channel. */
  readonly recent: readonly BusMessage[];
  /** What of it was not given before. */
  readonly fresh: readonly BusMessage[];
  /** The offset at which live readers stood at least; what is new below it took the place of something lost. */
  readonly before: number;
}

/**
 * How a face writes. Frames are made once per message, however many connections there are; a slot of its own keeps them
 * apart from other faces'.
 */
export interface Face {
  readonly slot: number;
  /** What a stream begins with; undefined: nothing. */
  first(parts: readonly Part[], stream: Stream): Buffer | undefined;
  /** Further pages. */
  more(parts: readonly Part[], stream: Stream): Buffer | undefined;
  /** Messages of one channel that the reader may see, in order; the reader's positions are behind them already. */
  messages(sub: Sub, messages: readonly BusMessage[]): Buffer;
  /** The reader missed something that cannot be told any more. */
  reset(sub: Sub, reset: Reset): Buffer | undefined;
  /** Positions that moved although nothing was said; undefined where the face has no word for it. */
  moved?(subs: readonly Sub[]): Buffer;
  /** Sent when nothing else was for a while, so that nobody in between gives up. */
  readonly idle?: Buffer;
  /** Said before we close. */
  last?(stream: Stream): Buffer;
  /** Frames depend on messages only, so one is made for all readers. */
  readonly shared: boolean;
}

let slots = 0;

export function newSlot(): number {
  return slots++;
}

/** Messages that came together, with the frames that the faces made of them. */
export class Batch {
  readonly messages: readonly BusMessage[];
  /** Everybody may see all of them. */
  readonly plain: boolean;
  readonly #frames: (Buffer | undefined)[] = [];

  constructor(messages: readonly BusMessage[], plain: boolean) {
    this.messages = messages;
    this.plain = plain;
  }

  frame(face: Face, sub: Sub): Buffer {
    if (!face.shared) return face.messages(sub, this.messages);
    return (this.#frames[face.slot] ??= face.messages(sub, this.messages));
  }
}
