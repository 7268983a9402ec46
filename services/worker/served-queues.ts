// All queues that this worker serves: those it was told to, and those that it finds.
//
// Not promised: that it leaves a queue again. One that is empty costs a beat and a look each second.

import type { Clock, Random } from "../runtime/clock.ts";
import { Loop } from "../runtime/loop.ts";
import type { Emit } from "../telemetry/events.ts";
import type { QueueChoice } from "./queue-choice.ts";
import type { ServedQueue } from "./served-queue.ts";

/** With the bells, beats and looks of each. */
const QUEUES_MAX = 64;
const LOOK_MS = 800;

export interface ServedQueuesOptions {
  readonly choice: QueueChoice;
  readonly open: (queue: string, weight: number) => ServedQueue;
  /** Names of all queues that there are; undefined when they are the same as at the last look. */
  readonly look: () => Promise<readonly string[] | undefined>;
  readonly isRedisThere: () => boolean;
  readonly emit: Emit;
  readonly clock: Clock;
  readonly random: Random;
}

export class ServedQueues {
  readonly #options: ServedQueuesOptions;
  readonly #all: ServedQueue[] = [];
  readonly #names = new Set<string>();
  #isStarted = false;
  #isQuiet = false;
  #isFull = false;

  constructor(options: ServedQueuesOptions) {
    this.#options = options;
    for (const queue of options.choice.known) this.#open(queue);
  }

  /** Grows while the worker runs. */
  get all(): readonly ServedQueue[] {
    return this.#all;
  }

  /** Each queue begins to look for work. */
  async start(): Promise<void> {
    this.#isStarted = true;
    await Promise.all(this.#all.map(({ fetcher }) => fetcher.start()));
  }

  async stop(): Promise<void> {
    this.#isStarted = false;
    await Promise.all(this.#all.map(({ fetcher }) => fetcher.stop()));
  }

  /** Nothing more is taken until `resume`. */
  pause(): void {
    this.#isQuiet = true;
    for (const queue of this.#all) queue.pause();
  }

  resume(): void {
    this.#isQuiet = false;
    for (const queue of this.#all) queue.resume();
  }

  /** Finds queues that came to be after this worker. */
  discovery(): Loop {
    const { clock, random, emit } = this.#options;
    return new Loop({
      name: "discovery",
      intervalMs: LOOK_MS,
      tick: () => this.#discover(),
      onError: (error) => emit("loop.failed", { loop: "discovery", error }),
      clock,
      random,
    });
  }

  async #discover(): Promise<void> {
    const { choice, look, isRedisThere } = this.#options;
    if (!choice.isOpen || !isRedisThere()) return;
    for (const name of (await look())?.toSorted() ?? []) {
      if (this.#names.has(name)) continue;
      const queue = this.#open(name);
      if (queue === undefined || !this.#isStarted) continue;
      await queue.fetcher.start();
      queue.register().catch(() => {}); // the next beat tries again
    }
  }

  #open(name: string): ServedQueue | undefined {
    const { choice, open, emit } = this.#options;
    const weight = choice.weightOf(name);
    if (weight === undefined) return undefined;
    if (this.#all.length >= QUEUES_MAX) {
      if (!this.#isFull) emit("queues.full", { queue: name, most: QUEUES_MAX });
      this.#isFull = true;
      return undefined;
    }
    const queue = open(name, weight);
    if (this.#isQuiet) queue.pause();
    this.#names.add(name);
    this.#all.push(queue);
    return queue;
  }
}
