// Lets a few requests go at once and one each second after that, so that nothing we do wrong can burden the API server.

import type { Clock } from "../runtime/clock.ts";

export interface PaceOptions {
  readonly burst: number;
  readonly everyMs: number;
  readonly clock: Clock;
}

export class Pace {
  readonly #options: PaceOptions;
  /** When all that were let go are paid for. */
  #paidAt = 0;

  constructor(options: PaceOptions) {
    this.#options = options;
  }

  /** Resolves when it is one's turn; first come, first served. */
  async turn(signal: AbortSignal): Promise<void> {
    const { burst, everyMs, clock } = this.#options;
    const now = clock.monotonic();
    this.#paidAt = Math.max(this.#paidAt, now) + everyMs;
    const waitMs = this.#paidAt - now - burst * everyMs;
    if (waitMs > 0) await clock.sleep(waitMs, signal);
  }
}
