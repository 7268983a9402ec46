// What an application hides from all readers of the web: a function per prefix of channel names, all of which must agree.

import type { BusMessage } from "./message.ts";

export interface Filtered {
  readonly channel: string;
  readonly data: unknown;
}

export type Filter = (message: Filtered) => boolean;

export class Filters {
  readonly #all: { readonly prefix: string; readonly filter: Filter }[] = [];
  #decode: (text: string) => unknown = JSON.parse;

  /** How data is read that filters look at. */
  set decode(decode: (text: string) => unknown) {
    this.#decode = decode;
  }

  /** The newest is asked first. Messages that were shown before stay shown. */
  add(prefix: string, filter: Filter): void {
    this.#all.unshift({ prefix, filter });
  }

  pass(channel: string, message: BusMessage): boolean {
    if (this.#all.length === 0) return true;
    const asked = this.#all.filter(({ prefix }) => channel.startsWith(prefix));
    if (asked.length === 0) return true;
    const given = { channel, data: this.#decode(message.data.toString("utf8")) };
    return asked.every(({ filter }) => filter(given));
  }
}
