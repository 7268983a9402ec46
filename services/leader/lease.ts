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
import { type Granter, granterOf } from "./granter.ts";
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

/** A replica that needs longer is no proof. */
const REPLICA_MS = 200;

/** Without a reason each abort makes an exception with its stack. */
const ANSWERED = "answered";

interface Deadline {
  readonly monotonic: number;
  readonly wall: number;
}

export class Lease {
  readonly unit: string;
  readonly #options: LeaseOptions;
  readonly #keys: [lease: string, epoch: string, seat: string];
  readonly #redlock: Redlock;
  readonly #granter: Granter;
  /** One per tenure: kept while an acquire may have been applied unseen, replaced once the Lease is lost or released. */
  #token: string;
  #givenBack: string | undefined;
  #epoch: string | undefined;
  #seenEpoch = "0";
  #deadline: Deadline | undefined;
  /** Of the connection on which the Lease was last seen to be ours. */
  #session: string | undefined;

  constructor(options: LeaseOptions) {
    this.unit = options.unit;
    this.#options = options;
    const { client, clock, keys, timing, unit } = options;
    this.#granter = granterOf({ client, key: keys.lease(unit), leaseMs: timing.leaseMs, clock });
    this.#keys = [keys.lease(unit), keys.epoch(unit), keys.seat(unit)];
    this.#token = this.#newToken();
    this.#redlock = new Redlock(
      [client],
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

  /** Of whoever led when Redis was asked last, here or elsewhere; "0" before anybody did. */
  get seenEpoch(): string {
    return this.#seenEpoch;
  }

  /** Tries once. False: somebody else has it. Throws REDIS_UNAVAILABLE. Winning again what is already ours is a fresh win. */
  async acquire(): Promise<boolean> {
    const { timing } = this.#options;
    const granter = this.#granter;
    if ((await this.#told(granter.quietMs())) > 0) return false;
    const { session } = granter;
    const deadline = this.#deadlineFromNow();
    const won = await this.#ask(this.#redlock.acquire([...this.#keys], timing.leaseMs));
    if (!won) return false;
    const replicated = this.#told(granter.isReplicated(Math.min(REPLICA_MS, Math.round(timing.commandMs / 2))));
    const [isReplicated, epoch] = await Promise.all([replicated, this.#ownEpoch()]);
    if (epoch === undefined) return false;
    if (!isReplicated || granter.session !== session) {
      await this.release();
      throw new AntiphonError("REDIS_UNAVAILABLE", `No replica has the Lease of ${this.unit}, or the server changed.`);
    }
    this.#epoch = epoch;
    this.#session = session;
    this.#deadline = deadline;
    return this.held();
  }

  /** Renews. False: it is lost. Throws REDIS_UNAVAILABLE; then it may still be held, for a while. */
  async extend(): Promise<boolean> {
    if (!this.held()) return false;
    const { timing } = this.#options;
    const granter = this.#granter;
    const { session } = granter;
    const deadline = this.#deadlineFromNow();
    if (!this.isConfirmed && (await this.#ownEpoch()) !== this.#epoch) return this.#lost();
    // A lock of our own making: redlock would look at its expiration, which is wall clock and no base for decisions.
    const lock = new Lock(this.#redlock, [...this.#keys], this.#token, [], Number.POSITIVE_INFINITY);
    const renewed = await this.#ask(this.#redlock.extend(lock, timing.leaseMs));
    // What has once been seen as lost must not come back under the same epoch, hence the second look.
    if (!renewed || !this.held()) return this.#lost();
    this.#deadline = deadline;
    this.#session = session;
    return true;
  }

  /** Gives it back, if it is still ours, and wakes those who wait. The next acquire is another tenure. Never throws. */
  async release(): Promise<void> {
    const keys = [...this.#keys, this.#options.keys.leaseFree(this.unit)];
    const lock = new Lock(this.#redlock, keys, this.#token, [], 0);
    this.#givenBack = this.#token;
    this.#token = this.#newToken();
    this.#epoch = undefined;
    this.#deadline = undefined;
    await this.#ask(this.#redlock.release(lock)).catch(() => {});
  }

  /** Whether the holder may act now. Asked right before each act, never kept. */
  held(): boolean {
    return this.remainingMs() > 0;
  }

  /** False after the connection was lost: another server may answer now, so a renewal has to tell whether it is still held. */
  get isConfirmed(): boolean {
    return this.#session === this.#granter.session;
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

  /**
   * When an acquire may succeed: how long Redis keeps the Lease of whoever has it. 0 when nobody has and it may be taken, and
   * when it is ours by an acquire whose answer was lost: as one that a frozen Redis does when it goes on.
   */
  async freeInMs(): Promise<number> {
    const { client } = this.#options;
    const [key, epochKey] = this.#keys;
    const asked = Promise.all([client.mget(key, epochKey), client.pttl(key), this.#granter.quietMs()]);
    const [[token, epoch], keptMs, quietMs] = await this.#told(asked);
    this.#seenEpoch = epoch ?? this.#seenEpoch;
    return Math.max(0, token === this.#token ? 0 : keptMs, quietMs);
  }

  /** Whether it was this one that gave the Lease back. */
  gaveBack(token: string): boolean {
    return token === this.#givenBack;
  }

  /** As Redis has it, if the Lease is ours there. Nobody else can have raised it then. */
  async #ownEpoch(): Promise<string | undefined> {
    const [lease, epoch] = this.#keys;
    const [token, found] = await this.#told(this.#options.client.mget(lease, epoch));
    return token === this.#token && found ? found : undefined;
  }

  #lost(): false {
    this.#deadline = undefined;
    return false;
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
      throw unavailable(cause);
    }
  }

  async #told<T>(answer: Promise<T>): Promise<T> {
    try {
      return await this.#bounded(answer);
    } catch (error) {
      throw unavailable(error);
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
      answered.abort(ANSWERED);
    }
  }
}

function unavailable(cause: unknown): AntiphonError {
  if (cause instanceof AntiphonError) return cause;
  return new AntiphonError("REDIS_UNAVAILABLE", cause instanceof Error ? cause.message : "", { cause });
}

/** redlock hides the reason of a failure in the votes of its attempts. */
async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof ExecutionError)) return error;
  const attempt = await error.attempts[0];
  return attempt?.votesAgainst.values().next().value ?? error;
}
