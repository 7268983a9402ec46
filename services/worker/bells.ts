// The bells of this worker: one connection that listens for "there is work" and wakes whoever asked. A lost bell costs 1 s.

import type { RedisClient } from "../redis/connect.ts";

export class Bells {
  readonly #subscriber: RedisClient;
  readonly #rings = new Map<string, () => void>();

  constructor(subscriber: RedisClient) {
    this.#subscriber = subscriber;
    subscriber.on("smessage", (channel: string) => this.#rings.get(channel)?.());
  }

  /** Throws when Redis is away; then the caller tries again. ioredis subscribes again after a reconnect. */
  async listen(channel: string, ring: () => void): Promise<void> {
    this.#rings.set(channel, ring);
    await this.#subscriber.ssubscribe(channel);
  }

  forget(channel: string): void {
    if (this.#rings.delete(channel)) this.#subscriber.sunsubscribe(channel).catch(() => {}); // away: nobody rings it again
  }
}
