// The one polling loop: calls `tick` again and again, never two at a time, survives its exceptions, stops when told.

import { backoffMs } from "./backoff.ts";
import type { Clock, Random } from "./clock.ts";
import type { Part } from "./part.ts";

export interface LoopOptions {
  readonly name: string;
  /** The pause between two ticks, ± 10 %. A function gives each pause itself, as it is. */
  readonly intervalMs: number | (() => number);
  readonly tick: (signal: AbortSignal) => Promise<void>;
  readonly onError: (error: unknown) => void;
  readonly clock: Clock;
  readonly random: Random;
}

/** Without a reason each abort would make an exception with its stack: a tenth of the main thread's time under load. */
const WOKEN = "woken";

/** After failures the pause grows to at most ten intervals or 5 s, whichever is larger. */
export class Loop implements Part {
  readonly name: string;
  readonly #options: LoopOptions;
  readonly #stopping = new AbortController();
  #wake = new AbortController();
  #done: Promise<void> | undefined;
  #failures = 0;

  constructor(options: LoopOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#done ??= this.#run();
  }

  /** Ends the present pause: the next tick runs now. */
  wake(): void {
    this.#wake.abort(WOKEN);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake.abort(WOKEN);
    await this.#done;
  }

  async #run(): Promise<void> {
    const { clock, tick, onError } = this.#options;
    while (!this.#stopping.signal.aborted) {
      this.#wake = new AbortController();
      try {
        await tick(this.#stopping.signal);
        this.#failures = 0;
      } catch (error) {
        this.#failures++;
        onError(error);
      }
      if (this.#stopping.signal.aborted) return;
      await clock.sleep(this.#pauseMs(), this.#wake.signal);
    }
  }

  #pauseMs(): number {
    const { intervalMs, random } = this.#options;
    const fixed = typeof intervalMs === "number";
    const pauseMs = fixed ? intervalMs : intervalMs();
    if (this.#failures === 0) return fixed ? pauseMs * (0.9 + 0.2 * random()) : pauseMs;
    return backoffMs(this.#failures, { firstMs: pauseMs, maxMs: Math.max(10 * pauseMs, 5_000) }, random);
  }
}
