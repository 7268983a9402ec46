// The server's clock as this process can know it: from the times that its replies carry. This machine's wall clock has no part in it.

/** After this long a reply that says less is believed: the server's clock was set back, or the two drift apart. */
const BELIEVED_MS = 30_000;

export interface Monotonic {
  monotonic(): number;
}

export class ServerClock {
  readonly #clock: Monotonic;
  #aheadMs: number | undefined;
  #learnedAtMs = 0;

  constructor(clock: Monotonic) {
    this.#clock = clock;
  }

  /** A reply says when it was given. It took its time to come, so of several the one that says most is nearest. */
  learn(serverMs: number): void {
    const now = this.#clock.monotonic();
    const aheadMs = serverMs - now;
    const isNearest = this.#aheadMs === undefined || aheadMs >= this.#aheadMs;
    if (!isNearest && now - this.#learnedAtMs < BELIEVED_MS) return;
    this.#aheadMs = aheadMs;
    this.#learnedAtMs = now;
  }

  /** How long until then; 0 when it is over, or when nothing is known yet. */
  untilMs(serverMs: number): number {
    if (this.#aheadMs === undefined) return 0;
    return Math.max(0, serverMs - this.#aheadMs - this.#clock.monotonic());
  }
}
