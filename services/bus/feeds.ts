// The channels that this process reads, and the comparison with where they stand: doorbells can be lost.

import type { Emit } from "../telemetry/events.ts";
import type { Backend } from "./backend.ts";
import { readerName } from "./channel.ts";
import { Feed } from "./feed.ts";
import type { Filters } from "./filters.ts";
import type { Lag } from "./lag.ts";
import type { Position } from "./position.ts";
import { type Stream, Sub } from "./stream.ts";

export interface FeedsOptions {
  readonly backend: Backend;
  readonly filters: Filters;
  readonly emit: Emit;
  readonly lag: Lag;
}

export class Feeds {
  readonly all = new Map<string, Feed>();
  readonly #options: FeedsOptions;
  /** How often doorbells may have been lost, and how often that was when all channels were compared last. */
  #gaps = 0;
  #compared = 0;

  constructor(options: FeedsOptions) {
    this.#options = options;
  }

  /** What the feeds hold in memory is up to date, as far as this process can know. */
  get areTrusted(): boolean {
    return this.#compared === this.#gaps && this.#options.backend.hears;
  }

  /** Doorbells may have been lost. */
  gap(): void {
    this.#gaps++;
  }

  subscribe(stream: Stream, channel: string): Sub {
    const feed = this.all.get(channel) ?? this.newFeed(channel);
    this.all.set(channel, feed);
    const sub = new Sub(stream, feed);
    feed.subs.add(sub);
    stream.subs.push(sub);
    return sub;
  }

  unsubscribe(sub: Sub): void {
    const { feed } = sub;
    sub.live = false;
    feed.subs.delete(sub);
    if (feed.subs.size === 0 && this.all.get(feed.channel) === feed) this.all.delete(feed.channel);
  }

  /** One that nobody shares. */
  newFeed(channel: string): Feed {
    const { backend, filters, emit, lag } = this.#options;
    return new Feed({
      backend,
      channel,
      name: readerName(channel),
      passes: (name, message) => filters.pass(name, message),
      onSent: (messages) => lag.sent(messages),
      onError: (error) => emit("loop.failed", { loop: "bus", error }),
    });
  }

  async compare(): Promise<void> {
    const { backend } = this.#options;
    const feeds = [...this.all];
    const gaps = this.#gaps;
    await Promise.all(feeds.map(([channel]) => backend.listen(channel)));
    await backend.listenOnly(() => this.all.keys());
    const heads = await backend.heads(feeds.map(([channel]) => channel));
    for (const [index, [, feed]] of feeds.entries()) feed.seen(heads[index] as Position);
    this.#compared = gaps;
  }
}
