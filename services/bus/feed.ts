// One channel in this process. The doorbell brings messages; where one is missing, the channel itself is read. So its
// streams get every message in order, or are told that something cannot be recovered.

import { type BusMessage, NOWHERE, type Position } from "./position.ts";
import { readAfter, readRecent, type Source } from "./backlog.ts";
import type { Item, Stream } from "./stream.ts";

const BATCH = 300;

export interface FeedOptions {
  readonly source: Source;
  readonly channel: string;
  /** How many of the newest messages follow a reset. */
  readonly recent: number;
  readonly onError: (error: unknown) => void;
}

export class Feed {
  readonly streams = new Set<Stream>();
  readonly #options: FeedOptions;
  #position: Position | undefined;
  /** The reading that is going on. */
  #reading: Promise<void> | undefined;
  /** Something arrived that only reading can bring in order. */
  #behind = false;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Finds out where the channel stands. Doorbells must be heard by now. */
  async open(): Promise<void> {
    if (this.#position !== undefined) return;
    this.#reading ??= this.#read();
    await this.#reading;
  }

  /** Takes a message from the doorbell. */
  ring(message: BusMessage): void {
    const at = this.#position;
    if (at === undefined || this.#reading) {
      this.#behind = true;
    } else if (message.epoch === at.epoch && message.offset <= at.offset) {
      return;
    } else if (message.epoch === at.epoch && message.offset === at.offset + 1) {
      this.#take(message);
    } else {
      this.catchUp();
    }
  }

  /** Compares with where the channel stands by now: doorbells can be lost. */
  seen(head: Position): void {
    const at = this.#position;
    if (at === undefined || head.epoch === "") return;
    if (head.epoch !== at.epoch || head.offset > at.offset) this.catchUp();
  }

  /** Reads what is missing. A failure is repeated by the next doorbell or comparison. */
  catchUp(): void {
    this.#behind = true;
    if (this.#reading || this.#position === undefined) return;
    this.#reading = this.#read();
    this.#reading.catch(this.#options.onError);
  }

  async #read(): Promise<void> {
    try {
      if (this.#position === undefined) {
        this.#behind = false;
        this.#position = (await readRecent(this.#options.source, this.#options.channel, 1)).head;
      }
      while (this.#behind) {
        this.#behind = false;
        await this.#readOn(this.#position);
      }
    } finally {
      this.#reading = undefined;
    }
  }

  async #readOn(after: Position): Promise<void> {
    const { source, channel, recent } = this.#options;
    const found = await readAfter(source, channel, { after, limit: BATCH });
    if (found.head.epoch === NOWHERE.epoch) return;
    if (!found.recovered) {
      const newest = await readRecent(source, channel, recent);
      this.#position = newest.head;
      return this.#give({ kind: "reset", head: newest.head, recent: newest.messages });
    }
    for (const message of found.messages) this.#take(message);
    if ((found.messages.at(-1)?.offset ?? found.head.offset) < found.head.offset) this.#behind = true;
  }

  #take(message: BusMessage): void {
    this.#position = { epoch: message.epoch, offset: message.offset };
    this.#give({ kind: "message", message });
  }

  #give(item: Item): void {
    for (const stream of this.streams) stream.offer(item);
  }
}
