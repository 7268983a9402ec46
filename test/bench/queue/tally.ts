// Counts what handlers ran, over memory that threads share: how many, when the counted ones began and ended, how late each was.
//
// Float64: [0] jobs handled when counting begins  [1] jobs in all  [2] when counting began  [3] when the last was handled,
// both ms of the monotonic clock that all processes share; then per job how long after its stamp its handler started.
// Int32 behind them: [0] jobs handled.

import { hrtime } from "node:process";

const HEAD = 4;

/** Milliseconds of a clock that is the same in every thread and process of this machine. */
export function clockMs(): number {
  return Number(hrtime.bigint()) / 1e6;
}

export class Tally {
  readonly memory: SharedArrayBuffer;
  readonly #fields: Float64Array;
  readonly #count: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    const jobs = (memory.byteLength - 8) / 8 - HEAD;
    this.memory = memory;
    this.#fields = new Float64Array(memory, 0, HEAD + jobs);
    this.#count = new Int32Array(memory, 8 * (HEAD + jobs), 1);
  }

  /** The first `skipped` jobs warm everything up and are not counted. */
  static of(jobs: number, skipped: number): Tally {
    const tally = new Tally(new SharedArrayBuffer(8 * (HEAD + jobs) + 8));
    tally.#fields[0] = skipped;
    tally.#fields[1] = jobs;
    return tally;
  }

  /** A job's handler starts. `stamp`: when it was enqueued, 0 where nobody asks. */
  handled(stamp: number): void {
    const before = Atomics.add(this.#count, 0, 1);
    if (stamp > 0) this.#fields[HEAD + before] = clockMs() - stamp;
    if (before === this.#fields[0]) this.#fields[2] = clockMs();
    if (before + 1 === this.#fields[1]) this.#fields[3] = clockMs();
  }

  get count(): number {
    return Atomics.load(this.#count, 0);
  }

  get isOver(): boolean {
    return this.#fields[3] !== 0;
  }

  /** What was counted: jobs, and how long they took. */
  get counted(): { readonly jobs: number; readonly ms: number } {
    const [skipped = 0, jobs = 0, from = 0, to = 0] = this.#fields;
    return { jobs: jobs - skipped - 1, ms: to - from };
  }

  /** Of the jobs that were counted, ms. */
  get latencies(): number[] {
    const [skipped = 0] = this.#fields;
    return [...this.#fields.subarray(HEAD + skipped, HEAD + this.count)];
  }
}
