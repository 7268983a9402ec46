// The clock of a bot under test: goes with the machine's and can leap ahead; what sleeps until then wakes at once.

import { clearTimeout, setTimeout } from "node:timers";
import type { Clock } from "../runtime/clock.ts";

// Kept from the time of loading, so that a test may replace the global ones.
const wallMs = Date.now.bind(Date);
const sinceStartMs = performance.now.bind(performance);

class Sleeper {
  readonly #untilMs: number;
  readonly #wake: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(untilMs: number, wake: () => void) {
    this.#untilMs = untilMs;
    this.#wake = wake;
  }

  /** Sets the alarm by this clock, which may have leapt. */
  set(nowMs: number): void {
    this.clear();
    if (this.#untilMs <= nowMs) return this.#wake();
    this.#timer = setTimeout(this.#wake, this.#untilMs - nowMs);
    this.#timer.unref();
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

export class TestClock implements Clock {
  /** [0] is what this clock is ahead, ms; the scripts add it to the server's clock. */
  readonly offset = new Float64Array(new SharedArrayBuffer(8));
  readonly #sleepers = new Set<Sleeper>();

  get offsetMs(): number {
    return this.offset[0] ?? 0;
  }

  now(): number {
    return wallMs() + this.offsetMs;
  }

  /** Never leaps, as the expiry of keys in Redis does not. */
  monotonic(): number {
    return sinceStartMs();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const wake = (): void => {
        sleeper.clear();
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const sleeper = new Sleeper(this.now() + ms, wake);
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", wake, { once: true });
      sleeper.set(this.now());
    });
  }

  leap(ms: number): void {
    this.offset[0] = this.offsetMs + ms;
    const nowMs = this.now();
    for (const sleeper of this.#sleepers) sleeper.set(nowMs);
  }
}

/** By the machine's own time: no leap ends it. Does not keep the process alive. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
