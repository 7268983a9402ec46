// Where channels are kept and how others are told: the contract that Redis and Postgres fulfil. Offsets of a channel become
// visible in their order; a doorbell may be lost or come twice.

import type { ErrorCode } from "../runtime/errors.ts";
import type { BusMessage } from "./message.ts";
import type { Head, Position } from "./position.ts";

/** What a channel keeps. */
export interface Retention {
  readonly messages: number;
  /** From its last message on. */
  readonly ageMs: number;
}

/** What every channel keeps unless a publish says otherwise; the broker, which publishes in its own scripts, keeps the same. */
export const RETENTION: Retention = { messages: 1000, ageMs: 7 * 24 * 3_600_000 };

export interface ToPublish {
  readonly channel: string;
  readonly payload: Buffer;
  readonly keep: Retention;
  /** The highest offset of the channel that this process has seen; a lower one is never given again. */
  readonly seen: number;
}

/** The index of all channels; not to be read from the web. */
export const EVERYTHING = "/__all";
const EVERYTHING_MESSAGES = 2000;

/** What a message says of the index, where there is one. */
export const EVERYTHING_KEPT: Omit<ToPublish, "payload"> = {
  channel: EVERYTHING,
  keep: { ...RETENTION, messages: EVERYTHING_MESSAGES },
  seen: 0,
};

/** Messages of one publisher, in order. */
export interface PublishCall {
  readonly publisher: string;
  /** A call that is repeated under its number, because its answer was lost, is written once. */
  readonly number: number;
  /** The call before is under way on the same connection: this one is written after it or fails. */
  readonly follows?: boolean;
  readonly messages: readonly ToPublish[];
}

/** What a channel holds at one moment, from some place on. */
export interface Stored {
  readonly head: Head;
  readonly messages: readonly BusMessage[];
}

/** `message` is left out where the doorbell does not carry it. */
export type OnBell = (channel: string, position: Position, message?: BusMessage) => void;

export interface Backend {
  /** `onGap`: doorbells may have been lost. */
  start(on: { readonly bell: OnBell; readonly gap: () => void }): Promise<void>;
  stop(): Promise<void>;
  /** Doorbells are heard just now, as far as this process can know. */
  readonly hears: boolean;
  /** The error of everything here that needs the server while it is away. */
  readonly unavailable: ErrorCode;
  /** How many calls of one publisher may be under way: it knows that many of them again when they are repeated. */
  readonly callsUnderway: 1 | 2;
  /** Resolves when the channel's doorbell is heard. */
  listen(channel: string): Promise<void>;
  /** Which doorbells are still wanted; asked before each that is given up. */
  listenOnly(channels: () => Iterable<string>): Promise<void>;
  /** A message that could not be stored has an Error in its place. Throws `unavailable`: perhaps written, repeat it. */
  publish(call: PublishCall): Promise<(Position | Error)[]>;
  /** The first `limit` messages with a higher offset; fewer of large ones, whose last is then not the head. */
  after(channel: string, offset: number, limit: number): Promise<Stored>;
  /** The newest `limit` messages, oldest first. */
  recent(channel: string, limit: number): Promise<Stored>;
  heads(channels: readonly string[]): Promise<Head[]>;
  /** The channel goes on above `seen`, in another epoch, if it stands below it. */
  rotate(channel: string, seen: Position): Promise<void>;
}
