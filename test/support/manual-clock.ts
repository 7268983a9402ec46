// A clock that stands until the test moves it; for pure parts that count time.

import type { Clock } from "../../services/runtime/clock.ts";

export class ManualClock implements Clock {
  #now = 1_000_000;
  readonly #sleepers = new Set<{ readonly until: number; readonly wake: () => void }>();

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const sleeper = {
        until: this.#now + ms,
        wake: (): void => {
          this.#sleepers.delete(sleeper);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", sleeper.wake, { once: true });
    });
  }

  /** Wakes whoever slept until then, in turn, and lets them act. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#sleepers]
        .filter(({ until }) => until <= end)
        .sort((one, other) => one.until - other.until);
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.until);
      next.wake();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#now = end;
  }
}
