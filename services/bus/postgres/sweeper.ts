// Deletes what channels no longer keep, and channels whose time is over: a little at a time, and one process of all does it.

import type { Clock, Random } from "../../runtime/clock.ts";
import { Loop } from "../../runtime/loop.ts";
import type { Database } from "./database.ts";
import { isRefusal } from "./failure.ts";

export interface SweeperOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  /** Postgres will not let it. That it is away is told by the listener. */
  readonly onRefused?: (error: unknown) => void;
}

const SWEEP_MS = 10_000;
const BATCH = { channels: 500, messages: 500 } as const;
const BATCHES_MAX = 40;
const SWEEP = { name: "antiphon-bus-sweep", text: "SELECT antiphon.bus_sweep_1($1, $2, $3) AS next" };

export class Sweeper {
  readonly #database: Database;
  readonly #loop: Loop;
  /** The channel from which to go on. */
  #next = 0;

  constructor({ database, clock, random, onRefused }: SweeperOptions) {
    this.#database = database;
    const tick = (signal: AbortSignal): Promise<void> => this.sweep(signal);
    const onError = (error: unknown): void => void (isRefusal(error) && onRefused?.(error));
    this.#loop = new Loop({ name: "bus sweeper", intervalMs: SWEEP_MS, tick, onError, clock, random });
  }

  async start(): Promise<void> {
    await this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  /** Up to the end, or what is enough for once. */
  async sweep(signal?: AbortSignal): Promise<void> {
    for (let batch = 0; batch < BATCHES_MAX; batch++) {
      if (signal?.aborted === true) return;
      const values = [this.#next, BATCH.channels, BATCH.messages];
      const [row] = await this.#database.ask<{ readonly next: string | null }>(SWEEP, values);
      this.#next = Number(row?.next ?? 0);
      if (this.#next === 0) return;
    }
  }
}
