// Deliveries that were cancelled while the take that brings them was on its way here: the bell may overtake its reply.

import type { Clock } from "../runtime/clock.ts";
import { setNewest } from "../runtime/newest.ts";

const KEPT_MS = 5_000;
const KEPT_MAX = 1_000;

export class Cancels {
  readonly #clock: Clock;
  /** Number -> when it was cancelled, oldest first. */
  readonly #ids = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(id: string): void {
    setNewest(this.#ids, [id, this.#clock.monotonic()], KEPT_MAX);
  }

  has(id: string): boolean {
    if (this.#ids.size === 0) return false;
    const atMs = this.#ids.get(id);
    if (atMs === undefined) return false;
    this.#ids.delete(id);
    return this.#clock.monotonic() - atMs < KEPT_MS;
  }
}
