// How late messages are when they are handed to the connections of this process: from the moment at which the server stored
// them. Its clock is compared with ours now and then; before that nothing is counted.
//
// Not promised: more than the clocks allow, which is half a round trip and a millisecond.

import type { Clock } from "../runtime/clock.ts";

/** Upper bounds; what is later is counted beyond the last. */
export const LAG_MS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000] as const;

export interface LagBucket {
  /** Null: beyond all others. */
  readonly upToMs: number | null;
  readonly messages: number;
}

interface Stored {
  /** When the server stored it, by its clock; undefined where that is not known. */
  readonly storedAt: number | undefined;
}

export class Lag {
  messages = 0;
  sumMs = 0;
  readonly #clock: Clock;
  readonly #counts = [...LAG_MS, 0].fill(0) as number[];
  /** What the server's clock shows more than ours. */
  #aheadMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The server's clock was asked and answered between two times of ours. */
  compare(serverMs: number, { askedAt, answeredAt }: { askedAt: number; answeredAt: number }): void {
    this.#aheadMs = serverMs - (askedAt + answeredAt) / 2;
  }

  /** They have just been handed to all who read them. */
  sent(messages: readonly Stored[]): void {
    if (this.#aheadMs === undefined) return;
    const now = this.#clock.now() + this.#aheadMs;
    for (const { storedAt } of messages) if (storedAt !== undefined) this.#count(Math.max(0, now - storedAt));
  }

  #count(ms: number): void {
    const at = LAG_MS.findIndex((most) => ms <= most);
    const bucket = at === -1 ? LAG_MS.length : at;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.messages++;
    this.sumMs += ms;
  }

  /** Each counts its own, not those below it. */
  get buckets(): LagBucket[] {
    return this.#counts.map((messages, index) => ({ upToMs: LAG_MS[index] ?? null, messages }));
  }
}
