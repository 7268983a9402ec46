// Awaits what came of jobs: a bell for each, a look each second in case a bell was lost, and an end to waiting.

import type { BrokerContext } from "../broker/connection.ts";
import { translate } from "../broker/connection.ts";
import { findDeadLetter } from "../broker/dead.ts";
import { findDelivery } from "../broker/jobs.ts";
import type { RedisClient } from "../redis/connect.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { Loop } from "../runtime/loop.ts";
import { type Duration, durationMs } from "../sdk/duration.ts";

export interface ResultsOptions extends BrokerContext {
  /** A connection of its own, opened when the first result is awaited. */
  readonly subscriber: () => RedisClient;
  readonly clock: Clock;
  readonly random: Random;
}

/** What the worker wrote when the job ended. */
type Written = { readonly ok: true; readonly value?: unknown } | { readonly ok: false; readonly error: string };

interface Waiter {
  readonly id: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

const LOOK_MS = 1000;
const AWAIT_MS_MAX = 86_400_000;
/** Of those without a result so many are asked after per look, in turn. */
const ASKED_AFTER = 50;
const WAITERS_MAX = 10_000;
const MGET_MAX = 500;

/** @throws AntiphonError OPTIONS_INVALID */
export function awaitMs(timeout: Duration): number {
  const ms = durationMs(timeout);
  if (ms !== undefined && ms > 0 && ms <= AWAIT_MS_MAX) return ms;
  throw new AntiphonError("OPTIONS_INVALID", `timeout must be a duration of at most 1d, not ${timeout}.`);
}

export class Results {
  readonly #options: ResultsOptions;
  readonly #waiters = new Map<string, Set<Waiter>>();
  /** Bell -> the id it rings for. */
  readonly #bells = new Map<string, string>();
  readonly #loop: Loop;
  #subscriber: RedisClient | undefined;
  #count = 0;
  #turn = 0;

  constructor(options: ResultsOptions) {
    const { clock, random } = options;
    this.#options = options;
    this.#loop = new Loop({
      name: "results",
      intervalMs: LOOK_MS,
      tick: () => this.#look(),
      onError: () => {}, // Redis is away: the waiting have their own end
      clock,
      random,
    });
  }

  /** @throws AntiphonError JOB_DEAD, RESULT_LATE, RESULT_MISSING, REDIS_UNAVAILABLE */
  async await(id: string, timeoutMs: number): Promise<unknown> {
    if (this.#count >= WAITERS_MAX)
      throw new AntiphonError("TOO_MANY_REQUESTS", `${WAITERS_MAX} results are awaited already.`);
    await this.#loop.start();
    const ended = new AbortController();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const waiter: Waiter = { id, resolve, reject };
    this.#add(waiter);
    void this.#options.clock.sleep(timeoutMs, ended.signal).then(() => {
      reject(new AntiphonError("RESULT_LATE", `${id}: not within ${timeoutMs} ms.`));
    });
    const listening = this.#listen(id)
      .then(() => this.#lookFor([id]))
      .then(() => this.#askAfter(id));
    listening.catch((error: unknown) => reject(translate(error)));
    try {
      return await promise;
    } finally {
      ended.abort("ended");
      this.#remove(waiter);
    }
  }

  async close(): Promise<void> {
    for (const waiters of this.#waiters.values())
      for (const { id, reject } of waiters) reject(new AntiphonError("RESULT_LATE", `${id}: the queue was closed.`));
    await this.#loop.stop();
  }

  #add(waiter: Waiter): void {
    this.#count++;
    const waiters = this.#waiters.get(waiter.id) ?? new Set();
    this.#waiters.set(waiter.id, waiters.add(waiter));
    this.#bells.set(this.#options.keys.resultBell(waiter.id), waiter.id);
  }

  #remove(waiter: Waiter): void {
    this.#count--;
    const waiters = this.#waiters.get(waiter.id);
    waiters?.delete(waiter);
    if (waiters === undefined || waiters.size > 0) return;
    const bell = this.#options.keys.resultBell(waiter.id);
    this.#waiters.delete(waiter.id);
    this.#bells.delete(bell);
    this.#subscriber?.sunsubscribe(bell).catch(() => {}); // away: nobody rings it again
  }

  async #listen(id: string): Promise<void> {
    this.#subscriber ??= this.#options.subscriber().on("smessage", (channel: string) => this.#rung(channel));
    await this.#subscriber.ssubscribe(this.#options.keys.resultBell(id));
  }

  #rung(channel: string): void {
    const id = this.#bells.get(channel);
    if (id !== undefined) void this.#lookFor([id]).catch(() => {}); // the next look finds it
  }

  async #look(): Promise<void> {
    const ids = [...this.#waiters.keys()];
    if (ids.length === 0) return;
    await this.#lookFor(ids);
    const left = [...this.#waiters.keys()];
    const asked = Array.from({ length: Math.min(ASKED_AFTER, left.length) }, () => left[this.#turn++ % left.length]);
    for (const id of new Set(asked)) if (id !== undefined) await this.#askAfter(id);
  }

  async #lookFor(ids: readonly string[]): Promise<void> {
    const { client, keys } = this.#options;
    for (let at = 0; at < ids.length; at += MGET_MAX) {
      const page = ids.slice(at, at + MGET_MAX);
      const written = await client.mget(...page.map((id) => keys.result(id)));
      for (const [index, text] of written.entries()) if (text !== null) this.#settle(page[index] ?? "", text);
    }
  }

  #settle(id: string, text: string): void {
    const result = JSON.parse(text) as Written;
    for (const { resolve, reject } of this.#waiters.get(id) ?? []) {
      if (result.ok) resolve(result.value);
      else reject(new AntiphonError("JOB_DEAD", `${id}: ${result.error}`));
    }
  }

  /** Whether there is anything to wait for. */
  async #askAfter(id: string): Promise<void> {
    const context = this.#options;
    const found = await findDelivery(context, id).catch((error: unknown) => {
      if (!(error instanceof AntiphonError) || error.code !== "ENVELOPE_UNREADABLE") throw error;
      this.#fail(id, error);
      return undefined;
    });
    if (found === undefined) {
      await this.#lookFor([id]); // it may have ended between the two looks
      this.#fail(id, new AntiphonError("RESULT_MISSING", `${id}.`));
    } else if (found.place === "dead") {
      const letter = await findDeadLetter(context, [found.queue], id);
      this.#fail(id, new AntiphonError("JOB_DEAD", `${id}: ${letter?.reason ?? ""}`));
    }
  }

  /** A waiter that has its result already takes no notice. */
  #fail(id: string, error: AntiphonError): void {
    for (const { reject } of this.#waiters.get(id) ?? []) reject(error);
  }
}
