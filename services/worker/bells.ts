// The bells of this worker: one connection that listens for "there is work", which is said by an empty message, and for
// orders such as `cancel <id>`. A lost bell costs 1 s: the beat tells of work too.

import type { RedisClient } from "../redis/connect.ts";

export class Bells {
  readonly #subscriber: RedisClient;
  readonly #rings = new Map<string, (message: string) => void>();

  constructor(subscriber: RedisClient) {
    this.#subscriber = subscriber;
    subscriber.on("smessage", (channel: string, message: string) => this.#rings.get(channel)?.(message));
  }

  /** Throws when Redis is away; then the caller tries again. ioredis subscribes again after a reconnect. */
  async listen(channel: string, ring: (message: string) => void): Promise<void> {
    this.#rings.set(channel, ring);
    await this.#subscriber.ssubscribe(channel);
  }

  forget(channel: string): void {
    if (this.#rings.delete(channel)) this.#subscriber.sunsubscribe(channel).catch(() => {}); // away: nobody rings it again
  }
}
