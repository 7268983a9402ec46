// Keeps one process of the local stack alive: starts it, starts it again when it ended, replaces it when handlers change.
//
//   starting ─▶ up ─▶ (ended by itself) ─▶ pause ─▶ starting …
//               └──▶ replaced: the next one is up before this one drains

import { backoffMs } from "../runtime/backoff.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Emit } from "../telemetry/events.ts";
import type { Child, Ended, Ready } from "./child.ts";

export interface KeeperOptions {
  /** E.g. worker-1. */
  readonly name: string;
  readonly drainMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
  spawn(): Child;
  onUp(at: Ready): void;
  onDown(at: Ready): void;
}

const PAUSE = { firstMs: 250, maxMs: 10_000 };
/** One that lived so long starts again without a growing pause. */
const STEADY_MS = 30_000;
const READY_MS = 30_000;
const TIMER_MAX_MS = 2 ** 31 - 1;

interface Running {
  readonly child: Child;
  readonly at: Ready;
}

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #stopping = new AbortController();
  readonly #children = new Set<Child>();
  #running: Running | undefined;
  /** The change under way; the next one waits for it. */
  #change: Promise<unknown> = Promise.resolve();
  #failures = 0;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#running?.child.pid;
  }

  /** @returns false when the process ended before it was ready, as one does whose settings or handlers are wrong */
  start(): Promise<boolean> {
    return this.#oneByOne(async () => this.#running !== undefined || this.#use(await this.#launch(Infinity)));
  }

  /** The new process serves before the old one stops. When it does not come up, the old one stays: false. */
  replace(): Promise<boolean> {
    return this.#oneByOne(async () => {
      const old = this.#running;
      const isUp = this.#use(await this.#launch(READY_MS));
      if (isUp) await this.#retire(old);
      return isUp;
    });
  }

  /** For a process that needs its port to itself. */
  restart(): Promise<boolean> {
    return this.#oneByOne(async () => {
      const old = this.#running;
      this.#running = undefined;
      await this.#retire(old);
      return this.#use(await this.#launch(READY_MS));
    });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#children].map((child) => this.#end(child)));
    await this.#change;
  }

  /** Starts one and waits until it serves, which it does not before Redis answers. */
  async #launch(patienceMs: number): Promise<Running | undefined> {
    if (this.#stopping.signal.aborted) return undefined;
    const child = this.#options.spawn();
    this.#children.add(child);
    void child.ended.then(() => this.#children.delete(child));
    const decided = new AbortController();
    const patience = AbortSignal.any([this.#stopping.signal, decided.signal]);
    const late = this.#options.clock.sleep(Math.min(patienceMs, TIMER_MAX_MS), patience).then(() => undefined);
    const at = await Promise.race([child.ready, child.ended.then(() => undefined), late]);
    decided.abort();
    if (at !== undefined) return { child, at };
    await this.#end(child);
    return undefined;
  }

  #use(next: Running | undefined): boolean {
    if (next === undefined) return false;
    this.#running = next;
    this.#options.onUp(next.at);
    const since = this.#options.clock.monotonic();
    void next.child.ended.then((end) => {
      if (this.#running !== next || this.#stopping.signal.aborted) return;
      this.#running = undefined;
      this.#options.onDown(next.at);
      if (this.#options.clock.monotonic() - since > STEADY_MS) this.#failures = 0;
      void this.#startAgain(end);
    });
    return true;
  }

  async #retire(old: Running | undefined): Promise<void> {
    if (old === undefined) return;
    this.#options.onDown(old.at);
    await this.#end(old.child);
  }

  async #startAgain(end: Ended): Promise<void> {
    const { clock, random, emit, name } = this.#options;
    const how = end.signal ?? `exit code ${end.code ?? "none"}`;
    const signal = this.#stopping.signal;
    for (let isUp = false; !isUp && !signal.aborted;) {
      const againInMs = backoffMs(this.#failures++, PAUSE, random);
      emit("dev.child-ended", { process: name, how, againInMs });
      await clock.sleep(againInMs, signal);
      isUp = !signal.aborted && (await this.start());
    }
  }

  #oneByOne(change: () => Promise<boolean>): Promise<boolean> {
    const next = this.#change.then(change);
    this.#change = next.catch(() => {});
    return next;
  }

  async #end(child: Child): Promise<void> {
    await child.stop(this.#options.drainMs);
  }
}
