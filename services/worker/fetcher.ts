// Takes what free slots can run from one queue: on the bell, when something is due, when a beat found work. Never blocks.

import { setTimeout as later } from "node:timers";
import type { Clock, Random } from "../runtime/clock.ts";
import { Loop } from "../runtime/loop.ts";
import type { Part } from "../runtime/part.ts";
import type { Claims, Run, Taken, TakeOptions } from "../broker/claims.ts";
import type { ServerClock } from "../broker/server-clock.ts";
import type { Emit } from "../telemetry/events.ts";
import { ClassOrder } from "./class-order.ts";
import type { TakeSource } from "./settler.ts";

/** Most deliveries of one key per turn. */
const RUN_QUANTUM = 4;
/**
 * A take asks for half of the slots, so that Redis works for one half while threads do for the other, but for no fewer than
 * this: small batches cost Redis more than the overlap gains.
 */
const BATCH_MIN = 16;
/** It also takes for no reason now and then, because a take arms a bell again that was rung while nobody listened. */
const LOOK_MS = 5000;
/** Anything that is due later than this is told in time by the next beat. */
const DUE_MAX_MS = 2000;
const SOONEST_MS = 5;

/** Who gives slots: the pool, where several queues share them by turns. A slot is reserved while a take for it is under way. */
export interface SlotSource {
  readonly slots: number;
  /** There may be work. Who gets no slots for it is woken when it is its turn. */
  want(): void;
  /** Nothing can be taken now, whatever there is. */
  rest(): void;
  /** At most so many of the free ones. */
  reserve(most: number): number;
  /** The take for which these were reserved brought so many runs; undefined: it failed. */
  answered(reserved: number, runs: number | undefined): void;
  /** Wakes who wants what is free now. */
  offer(): void;
}

export interface FetcherOptions {
  readonly queue: string;
  readonly slots: SlotSource;
  /** Undefined while the queue is not registered. */
  readonly claims: () => Claims | undefined;
  readonly accept: (claims: Claims, runs: readonly Run[]) => void;
  /** A take failed; throws what the loop should know of. */
  readonly failed: (claims: Claims, error: unknown) => void;
  readonly emit: Emit;
  readonly clock: Clock;
  readonly random: Random;
  readonly serverClock: ServerClock;
}

export class Fetcher implements Part, TakeSource {
  readonly name: string;
  readonly #options: FetcherOptions;
  readonly #loop: Loop;
  readonly #order = new ClassOrder();
  #taking = true;
  #dueMs: number | null = null;
  #dueTimer: NodeJS.Timeout | undefined;
  #dueWaitMs = 0;

  constructor(options: FetcherOptions) {
    const { queue, clock, random, emit } = options;
    this.name = `fetcher ${queue}`;
    this.#options = options;
    this.#loop = new Loop({
      name: this.name,
      intervalMs: LOOK_MS,
      tick: () => this.#tick(),
      onError: (error) => emit("loop.failed", { loop: this.name, error }),
      clock,
      random,
    });
  }

  async start(): Promise<void> {
    await this.#loop.start();
  }

  /** Work may be there: the bell rang, a slot became free, Redis is back. */
  wake(): void {
    this.#options.slots.want();
    this.#loop.wake();
  }

  /** Slots are free for what is wanted. */
  serve(): void {
    this.#loop.wake();
  }

  /** Takes nothing more; what a take under way brings goes to `accept` all the same. */
  quiet(): void {
    this.#taking = false;
    clearTimeout(this.#dueTimer);
    this.#dueTimer = undefined;
    this.#dueMs = null;
  }

  /** Takes again. */
  resume(): void {
    if (this.#taking) return;
    this.#taking = true;
    this.wake();
  }

  async stop(): Promise<void> {
    this.quiet();
    await this.#loop.stop();
  }

  ask(): TakeOptions | undefined {
    if (!this.#taking) return undefined;
    const slots = this.#options.slots.reserve(Math.max(BATCH_MIN, this.#options.slots.slots / 2));
    return slots === 0 ? undefined : { slots, run: RUN_QUANTUM, order: this.#order.next() };
  }

  got(claims: Claims, take: TakeOptions, taken?: Taken): void {
    const { slots, accept } = this.#options;
    slots.answered(take.slots, taken?.runs.length);
    if (taken !== undefined) {
      accept(claims, taken.runs);
      this.#options.serverClock.learn(taken.atMs);
      this.due(taken.nextDueMs);
    }
    slots.offer();
  }

  /**
   * Wakes when the next delayed delivery is due. The same time again means that the server did not think so yet, and then
   * the wait doubles.
   */
  due(dueMs: number | null): void {
    const again = dueMs === this.#dueMs;
    if (again && this.#dueTimer !== undefined) return;
    clearTimeout(this.#dueTimer);
    this.#dueTimer = undefined;
    this.#dueMs = dueMs;
    if (dueMs === null || !this.#taking) return;
    const waitMs = Math.max(this.#options.serverClock.untilMs(dueMs), again ? 2 * this.#dueWaitMs : SOONEST_MS);
    if (waitMs > DUE_MAX_MS) return;
    this.#dueWaitMs = waitMs;
    this.#dueTimer = later(() => {
      this.#dueTimer = undefined;
      this.wake();
    }, waitMs);
    this.#dueTimer.unref();
  }

  async #tick(): Promise<void> {
    const claims = this.#options.claims();
    if (claims === undefined || !this.#taking) return this.#options.slots.rest();
    this.#options.slots.want();
    const take = this.ask();
    if (take === undefined) return;
    const { emit, clock, queue } = this.#options;
    const askedAtMs = clock.monotonic();
    let taken: Taken;
    try {
      taken = await claims.take(take);
      emit("queue.asked", { queue, operation: "receive", ms: clock.monotonic() - askedAtMs });
    } catch (error) {
      this.got(claims, take);
      return this.#options.failed(claims, error);
    }
    this.got(claims, take, taken);
  }
}
