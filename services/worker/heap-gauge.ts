// How large the heap of one thread is, asked from outside, so that a thread that spins is measured too.
//
// Garbage counts as long as nobody has collected it: above a limit the thread is first asked to collect. One that is too
// busy to do so is taken as it is.

import type { Clock } from "../runtime/clock.ts";

const MB = 1024 * 1024;
/** Within this a thread that can, collects. */
const COLLECT_MS = 500;

export interface HeapGaugeOptions {
  /** Bytes in use; undefined where nobody can tell. */
  readonly measure: () => Promise<number | undefined>;
  readonly collect: () => void;
  readonly clock: Clock;
}

export class HeapGauge {
  readonly #options: HeapGaugeOptions;
  #isMeasuring = false;
  #collectedAtMs: number | undefined;
  #sureMb = 0;
  #seenBytes: number | undefined;

  constructor(options: HeapGaugeOptions) {
    this.#options = options;
  }

  /** Whether there was more than this after the garbage was collected. */
  isOver(mb: number): boolean {
    return this.#sureMb > mb;
  }

  /** Measures again, and has the garbage collected where this is exceeded. */
  look(mb: number): void {
    this.#measure((bytes = 0) => this.#judge(bytes / MB, mb));
  }

  /** As it was measured last, with its garbage; measures again for whoever asks next. Never waits. */
  glance(): number | undefined {
    this.#measure(() => {});
    return this.#seenBytes;
  }

  #measure(use: (bytes: number | undefined) => void): void {
    if (this.#isMeasuring) return;
    this.#isMeasuring = true;
    this.#options
      .measure()
      .then((bytes) => {
        this.#seenBytes = bytes;
        use(bytes);
      })
      .catch(() => {}) // the thread is gone
      .finally(() => (this.#isMeasuring = false));
  }

  #judge(usedMb: number, mb: number): void {
    const { clock, collect } = this.#options;
    const now = clock.monotonic();
    if (usedMb <= mb) {
      this.#sureMb = usedMb;
      this.#collectedAtMs = undefined;
    } else if (this.#collectedAtMs === undefined) {
      this.#collectedAtMs = now;
      collect();
    } else if (now - this.#collectedAtMs >= COLLECT_MS) this.#sureMb = usedMb;
  }
}
