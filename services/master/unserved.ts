// Warns of queues with work that no living worker serves: a pool that is missing, or a name that nobody meant.

import type { BrokerContext } from "../broker/connection.ts";
import { unservedQueues } from "../broker/unserved.ts";
import type { Tenure } from "../leader/duty.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { Loop } from "../runtime/loop.ts";
import type { Emit } from "../telemetry/events.ts";

export interface UnservedOptions {
  readonly broker: BrokerContext;
  readonly tenure: Tenure;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
}

const LOOK_MS = 5_000;
/** A queue is found by its workers within a second, and a rollout leaves none alone for so long. */
const PATIENCE_MS = 10_000;
const AGAIN_MS = 60_000;

interface Found {
  readonly sinceMs: number;
  readonly toldMs: number;
}

export class Unserved {
  readonly #options: UnservedOptions;
  readonly #loop: Loop;
  #found: ReadonlyMap<string, Found> = new Map();

  constructor(options: UnservedOptions) {
    const { clock, random, emit } = options;
    this.#options = options;
    this.#loop = new Loop({
      name: "unserved",
      intervalMs: LOOK_MS,
      tick: () => this.#tick(),
      onError: (error) => emit("loop.failed", { loop: "unserved", error }),
      clock,
      random,
    });
  }

  start(): Promise<void> {
    return this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #tick(): Promise<void> {
    const { broker, tenure, clock } = this.#options;
    if (!tenure.held()) return;
    const now = clock.monotonic();
    const unserved = await unservedQueues(broker);
    this.#found = new Map(unserved.map(({ queue, waiting }) => [queue, this.#consider(queue, waiting, now)]));
  }

  #consider(queue: string, waiting: number, now: number): Found {
    const { sinceMs, toldMs } = this.#found.get(queue) ?? { sinceMs: now, toldMs: Number.NEGATIVE_INFINITY };
    if (now - sinceMs < PATIENCE_MS || now - toldMs < AGAIN_MS) return { sinceMs, toldMs };
    this.#options.emit("queue.unserved", { queue, waiting });
    return { sinceMs, toldMs: now };
  }
}
