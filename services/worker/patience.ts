// Waits out a Redis that is away, as long as the run that asks may still go on.

import { backoffMs } from "../runtime/backoff.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { hasCode } from "../runtime/errors.ts";

export interface Patience {
  readonly clock: Clock;
  readonly random: Random;
  /** Whether to give up: the run was aborted. */
  readonly isStopped: () => boolean;
}

const RETRY = { firstMs: 50, maxMs: 1000 };

/** Repeats while the answer is REDIS_UNAVAILABLE or DURABILITY_UNMET. Only for what may be repeated. */
export async function untilAnswered<T>({ clock, random, isStopped }: Patience, ask: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      const mayPass = hasCode(error, "REDIS_UNAVAILABLE") || hasCode(error, "DURABILITY_UNMET");
      if (!mayPass || isStopped()) throw error;
      await clock.sleep(backoffMs(attempt, RETRY, random));
    }
  }
}
