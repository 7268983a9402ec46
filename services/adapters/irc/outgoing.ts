// What is to be said, in the pace that the server allows: a bucket of lines, refilled with time; rooms take turns.
//
// Promised: lines of one lane in order; nothing is written after `close`, and whoever waits is told.

import type { Clock } from "../../runtime/clock.ts";

export interface Pace {
  /** Lines at once. */
  readonly burst: number;
  /** Time for one more. */
  readonly lineMs: number;
}

export interface OutgoingOptions extends Pace {
  readonly write: (line: string) => void;
  readonly clock: Clock;
}

interface Waiting {
  readonly line: string;
  readonly written: (() => void) | undefined;
}

/** Lines that may wait; adapters are told by `backlogMs` long before. */
const LINES_MAX = 1_000;
/** However many lines an operator allows: inspircd ends connections of which 4 KiB wait to be read. */
const BYTES = { atOnce: 2_048, perMs: 8 };

export class Outgoing {
  readonly #options: OutgoingOptions;
  readonly #lanes = new Map<string, Waiting[]>();
  readonly #closed = new AbortController();
  #tokens: number;
  #bytes = BYTES.atOnce;
  #at: number;
  #waiting = 0;
  #pumping = false;

  constructor(options: OutgoingOptions) {
    this.#options = options;
    this.#tokens = options.burst;
    this.#at = options.clock.monotonic();
  }

  /** Without waiting: answers that keep the connection alive. */
  urgent(line: string): void {
    if (!this.#closed.signal.aborted) this.#options.write(line);
  }

  /** In its turn. False when it is never written: too much waits, or the connection is over. */
  push(lane: string, line: string, written?: () => void): boolean {
    if (this.#closed.signal.aborted || this.#waiting >= LINES_MAX) return false;
    const queue = this.#lanes.get(lane) ?? [];
    queue.push({ line, written });
    this.#lanes.set(lane, queue);
    this.#waiting++;
    if (!this.#pumping) void this.#pump();
    return true;
  }

  /** Takes back what is not written yet of a lane; answers how many lines. */
  drop(lane: string): number {
    const dropped = this.#lanes.get(lane)?.length ?? 0;
    this.#lanes.delete(lane);
    this.#waiting -= dropped;
    return dropped;
  }

  /** How long a line pushed now would wait. */
  get backlogMs(): number {
    this.#refill();
    return Math.max(0, this.#waiting + 1 - this.#tokens) * this.#options.lineMs;
  }

  close(): void {
    this.#closed.abort("closed");
    this.#lanes.clear();
    this.#waiting = 0;
  }

  async #pump(): Promise<void> {
    this.#pumping = true;
    const { clock, lineMs } = this.#options;
    while (this.#waiting > 0 && !this.#closed.signal.aborted) {
      this.#refill();
      const waitMs = Math.max((1 - this.#tokens) * lineMs, -this.#bytes / BYTES.perMs);
      if (waitMs > 0) {
        await clock.sleep(Math.max(1, waitMs), this.#closed.signal);
        continue;
      }
      this.#tokens--;
      this.#writeNext();
    }
    this.#pumping = false;
  }

  /** The lane that was served goes behind the others. */
  #writeNext(): void {
    const [lane, queue] = this.#lanes.entries().next().value ?? [];
    if (lane === undefined || queue === undefined) return;
    const next = queue.shift();
    this.#lanes.delete(lane);
    if (queue.length > 0) this.#lanes.set(lane, queue);
    if (next === undefined) return;
    this.#waiting--;
    // The last line may overdraw; what follows waits for it.
    this.#bytes -= Buffer.byteLength(next.line) + 2;
    this.#options.write(next.line);
    next.written?.();
  }

  #refill(): void {
    const { clock, burst, lineMs } = this.#options;
    const now = clock.monotonic();
    this.#bytes = Math.min(BYTES.atOnce, this.#bytes + (now - this.#at) * BYTES.perMs);
    this.#tokens = lineMs === 0 ? burst : Math.min(burst, this.#tokens + (now - this.#at) / lineMs);
    this.#at = now;
  }
}
