// A call of the publisher as the arguments of `bus_publish_1`, and its answer as positions.

import type { Retention, ToPublish } from "../backend.ts";
import type { Position } from "../position.ts";
import type { Value } from "./database.ts";

/** As Postgres can keep and index it. */
const CHANNEL_BYTES_MAX = 2_000;

/** Messages of one channel in one call. */
interface Group {
  readonly channel: string;
  keep: Retention;
  seen: number;
  count: number;
}

export interface CallOptions {
  readonly bell: (channel: string) => string;
  /** The channel of all messages, where there is one. */
  readonly index: Omit<ToPublish, "payload"> | undefined;
}

export interface Answer {
  readonly starts: readonly string[];
  readonly epochs: readonly string[];
}

export class Call {
  readonly #messages: readonly ToPublish[];
  readonly #options: CallOptions;
  readonly #groups: Group[] = [];
  /** Of each message that can be stored: its group, and its place there. */
  readonly #places = new Map<ToPublish, { readonly group: number; readonly place: number }>();

  constructor(messages: readonly ToPublish[], options: CallOptions) {
    this.#messages = messages;
    this.#options = options;
    if (options.index) this.#groups.push({ ...options.index, count: messages.length });
    const numbers = new Map<string, number>();
    for (const message of messages) {
      if (!fits(message.channel)) continue;
      const number = numbers.get(message.channel) ?? this.#groups.length;
      numbers.set(message.channel, number);
      this.#places.set(message, { group: number, place: this.#add(number, message) });
    }
    if (options.index && this.#groups[0]) this.#groups[0].count = this.#places.size;
  }

  get isEmpty(): boolean {
    return this.#places.size === 0;
  }

  /** Behind the namespace, the publisher, its number and a new epoch. */
  get values(): Value[] {
    const groups = this.#groups;
    const placed = [...this.#places];
    return [
      groups.map(({ channel }) => channel),
      groups.map(({ channel }) => this.#options.bell(channel)),
      groups.map(({ count }) => count),
      groups.map(({ keep }) => keep.messages),
      groups.map(({ keep }) => keep.ageMs),
      groups.map(({ seen }) => seen),
      this.#options.index !== undefined,
      placed.map(([, { group }]) => group + 1),
      placed.map(([, { place }]) => place),
      placed.map(([{ payload }]) => payload.byteLength),
      Buffer.concat(placed.map(([{ payload }]) => payload)),
    ];
  }

  /** One for each message of the call. */
  positions({ starts, epochs }: Answer): (Position | Error)[] {
    return this.#messages.map((message) => {
      const placed = this.#places.get(message);
      if (placed === undefined) return new Error("Postgres cannot keep a channel of this name");
      return { epoch: epochs[placed.group] ?? "", offset: Number(starts[placed.group]) + placed.place };
    });
  }

  /** Its place among those of its channel. */
  #add(number: number, { channel, keep, seen }: ToPublish): number {
    const group = this.#groups[number];
    if (group === undefined) {
      this.#groups.push({ channel, keep, seen, count: 1 });
      return 0;
    }
    // As if each were published by itself: what one trims, the next does not bring back.
    group.keep = { messages: Math.min(keep.messages, group.keep.messages + 1), ageMs: keep.ageMs };
    group.seen = Math.max(group.seen, seen);
    return group.count++;
  }
}

function fits(channel: string): boolean {
  return !channel.includes("\u0000") && Buffer.byteLength(channel) <= CHANNEL_BYTES_MAX;
}
