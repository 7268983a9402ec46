// A value that is read anew only when it is older than a moment, and once at a time, however many ask for it.

import type { Clock } from "./clock.ts";

export interface RecentOptions<T> {
  readonly read: () => Promise<T>;
  readonly maxAgeMs: number;
  readonly clock: Pick<Clock, "monotonic">;
}

export class Recent<T> {
  readonly #options: RecentOptions<T>;
  #value: Promise<T> | undefined;
  #atMs = 0;

  constructor(options: RecentOptions<T>) {
    this.#options = options;
  }

  /** A failure is told to all who wait for it, and to nobody later. */
  get(): Promise<T> {
    const { read, maxAgeMs, clock } = this.#options;
    const nowMs = clock.monotonic();
    if (this.#value !== undefined && nowMs - this.#atMs <= maxAgeMs) return this.#value;
    this.#atMs = nowMs;
    const value = read();
    this.#value = value;
    value.catch(() => {
      if (this.#value === value) this.#value = undefined;
    });
    return value;
  }
}
