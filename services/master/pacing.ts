// Buckets of a chat service's rate limits: when the next Action may go. A bucket that is empty or blocked stops its own
// rooms and nobody else. Kept in memory: after a change of leader it is learned again, at the price of a few refusals.

import type { Bucket } from "../sdk/adapter.ts";
import type { Clock } from "../runtime/clock.ts";

interface Level {
  tokens: number;
  /** When `tokens` was right, by the monotonic clock. */
  at: number;
  blockedUntil: number;
  capacity: number;
  refillPerSec: number;
}

/** Above it full buckets are forgotten; a forgotten bucket is a full one. */
const BUCKETS_MAX = 10_000;

export class Pacing {
  readonly #clock: Clock;
  readonly #levels = new Map<string, Level>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How long until all buckets have room; 0 = now. */
  waitMs(buckets: readonly Bucket[]): number {
    let wait = 0;
    for (const bucket of buckets) {
      const level = this.#level(bucket);
      const lacking = Math.max(0, (bucket.cost ?? 1) - level.tokens);
      const refillMs = lacking === 0 ? 0 : (lacking / bucket.refillPerSec) * 1000;
      wait = Math.max(wait, refillMs, level.blockedUntil - this.#clock.monotonic());
    }
    return Math.ceil(wait);
  }

  spend(buckets: readonly Bucket[]): void {
    for (const bucket of buckets) this.#level(bucket).tokens -= bucket.cost ?? 1;
  }

  /** The service refused: the bucket it named, or all of them when it named none that we know. */
  block(buckets: readonly Bucket[], forMs: number, scope?: string): void {
    const named = buckets.filter((bucket) => bucket.key === scope);
    const until = this.#clock.monotonic() + forMs;
    for (const bucket of named.length > 0 ? named : buckets) {
      const level = this.#level(bucket);
      level.blockedUntil = Math.max(level.blockedUntil, until);
    }
  }

  #level(bucket: Bucket): Level {
    const now = this.#clock.monotonic();
    const { key, capacity, refillPerSec } = bucket;
    let level = this.#levels.get(key);
    if (!level) {
      if (this.#levels.size >= BUCKETS_MAX) this.#forgetFull(now);
      level = { tokens: capacity, at: now, blockedUntil: 0, capacity, refillPerSec };
      this.#levels.set(key, level);
    }
    level.tokens = Math.min(capacity, level.tokens + ((now - level.at) / 1000) * refillPerSec);
    level.at = now;
    return level;
  }

  #forgetFull(now: number): void {
    for (const [key, level] of this.#levels) {
      const tokens = level.tokens + ((now - level.at) / 1000) * level.refillPerSec;
      if (tokens >= level.capacity && level.blockedUntil <= now) this.#levels.delete(key);
    }
  }
}
