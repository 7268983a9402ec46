// The Lease of one unit: acquire, extend and release through redlock with our own scripts, the epoch, and the check at use.
//
// Promised: while `held()` is true nobody else can have acquired this Lease, as long as this process's clocks run at a
// bounded rate. Not promised: that nothing leaves a socket after that moment; Redis refuses its writes by the epoch.

import Redlock, { ExecutionError, Lock, ResourceLockedError } from "redlock";
import type { RedisClient } from "../redis/connect.ts";
import type { Keys } from "../redis/keys.ts";
import { loadScript } from "../redis/scripts.ts";
import type { Clock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import type { LeaseTiming } from "./timing.ts";

const ACQUIRE = loadScript(new URL("./lua/acquire.lua", import.meta.url));
const EXTEND = loadScript(new URL("./lua/extend.lua", import.meta.url));
const RELEASE = loadScript(new URL("./lua/release.lua", import.meta.url));

export interface LeaseOptions {
  /** Opened for the purpose "lease": it queues nothing while Redis is away and repeats nothing by itself. */
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly unit: string;
  /** Who asks, e.g. the pod's name. Anything may stand here: tokens are made unique by `newId`. */
  readonly owner: string;
  readonly newId: () => string;
  readonly timing: LeaseTiming;
  readonly clock: Clock;
}

interface Deadline {
  readonly monotonic: number;
  readonly wall: number;
}

export class Lease {
  readonly unit: string;
  readonly #options: LeaseOptions;
  readonly #keys: [lease: string, epoch: string];
  readonly #redlock: Redlock;
  /** One per tenure: kept while an acquire may have been applied unseen, replaced once the Lease is lost or released. */
  #token: string;
  #epoch: string | undefined;
  #deadline: Deadline | undefined;

  constructor(options: LeaseOptions) {
    this.unit = options.unit;
    this.#options = options;
    this.#keys = [options.keys.lease(options.unit), options.keys.epoch(options.unit)];
    this.#token = this.#newToken();
    this.#redlock = new Redlock(
      [options.client],
      { retryCount: 0, driftFactor: 0 },
      // Functions, because redlock ignores scripts given as text.
      { acquireScript: () => ACQUIRE.lua, extendScript: () => EXTEND.lua, releaseScript: () => RELEASE.lua },
    );
    // redlock draws the token itself, anew for each acquire. Ours must survive an acquire whose answer was lost.
    Object.defineProperty(this.#redlock, "_random", { value: () => this.#token });
  }

  /** The fencing number of this tenure. */
  get epoch(): string {
    if (this.#epoch === undefined) throw new AntiphonError("FENCED", `${this.unit} is not held.`);
    return this.#epoch;
  }

  /** Tries once. False: somebody else has it. Throws REDIS_UNAVAILABLE. Winning again what is already ours is a fresh win. */
  async acquire(): Promise<boolean> {
    const deadline = this.#deadlineFromNow();
    const won = await this.#ask(this.#redlock.acquire([...this.#keys], this.#options.timing.leaseMs));
    if (!won) return false;
    const [token, epoch] = await this.#bounded(this.#options.client.mget(...this.#keys));
    if (token !== this.#token || !epoch) return false;
    this.#epoch = epoch;
    this.#deadline = deadline;
    return this.held();
  }

  /** Renews. False: it is lost. Throws REDIS_UNAVAILABLE; then it may still be held, for a while. */
  async extend(): Promise<boolean> {
    if (!this.held()) return false;
    const deadline = this.#deadlineFromNow();
    // A lock of our own making: redlock would look at its expiration, which is wall clock and no base for decisions.
    const lock = new Lock(this.#redlock, [...this.#keys], this.#token, [], Number.POSITIVE_INFINITY);
    const renewed = await this.#ask(this.#redlock.extend(lock, this.#options.timing.leaseMs));
    // What has once been seen as lost must not come back under the same epoch, hence the second look.
    if (!renewed || !this.held()) {
      this.#deadline = undefined;
      return false;
    }
    this.#deadline = deadline;
    return true;
  }

  /** Gives it back, if it is still ours, and wakes those who wait. The next acquire is another tenure. Never throws. */
  async release(): Promise<void> {
    const keys = [...this.#keys, this.#options.keys.leaseFree(this.unit)];
    const lock = new Lock(this.#redlock, keys, this.#token, [], 0);
    this.#token = this.#newToken();
    this.#epoch = undefined;
    this.#deadline = undefined;
    await this.#ask(this.#redlock.release(lock)).catch(() => {});
  }

  /** Whether the holder may act now. Asked right before each act, never kept. */
  held(): boolean {
    return this.remainingMs() > 0;
  }

  assert(): void {
    if (!this.held()) throw new AntiphonError("FENCED", `The Lease of ${this.unit} is not held.`);
  }

  /** How much longer the holder may act without a renewal. The monotonic clock stands still in a suspended machine and
   *  the wall clock can step, so the earlier one decides. */
  remainingMs(): number {
    if (this.#deadline === undefined) return 0;
    const { clock } = this.#options;
    return Math.max(0, Math.min(this.#deadline.monotonic - clock.monotonic(), this.#deadline.wall - clock.now()));
  }

  /** How long Redis will keep the Lease of whoever has it; 0 when nobody has. */
  async freeInMs(): Promise<number> {
    return Math.max(0, await this.#bounded(this.#options.client.pttl(this.#keys[0])));
  }

  #newToken(): string {
    return `${this.#options.owner}:${this.#options.newId()}`;
  }

  #deadlineFromNow(): Deadline {
    const { clock, timing } = this.#options;
    return { monotonic: clock.monotonic() + timing.deadlineMs, wall: clock.now() + timing.deadlineMs };
  }

  /** True when the script agreed, false when it refused; anything else is a Redis that did not answer. */
  async #ask(call: Promise<unknown>): Promise<boolean> {
    try {
      await this.#bounded(call);
      return true;
    } catch (error) {
      const cause = await causeOf(error);
      if (cause instanceof ResourceLockedError) return false;
      throw error instanceof AntiphonError ? error : new AntiphonError("REDIS_UNAVAILABLE", "", { cause });
    }
  }

  async #bounded<T>(work: Promise<T>): Promise<T> {
    const answered = new AbortController();
    const { clock, timing } = this.#options;
    // A holder waits no longer than it may act, so that it steps down in time.
    const ms = this.held() ? Math.min(timing.commandMs, this.remainingMs()) : timing.commandMs;
    const late = clock.sleep(ms, answered.signal).then(() => {
      throw new AntiphonError("REDIS_UNAVAILABLE", `No answer about the Lease of ${this.unit}.`);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      answered.abort();
    }
  }
}

/** redlock hides the reason of a failure in the votes of its attempts. */
async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof ExecutionError)) return error;
  const attempt = await error.attempts[0];
  return attempt?.votesAgainst.values().next().value ?? error;
}
