// Writes outcomes: joins a tick's settlements into one call that also takes, hands work back, repeats what failed.
//
// One per registration. A settlement is repeated with backoff for as long as the claim may still be held; when Redis says
// FENCED, another worker has the deliveries by now and everything here is dropped. Not promised: that a settlement is
// written once. Of a repeat Redis answers that the delivery is no longer ours, which is what `left` wants to hear too.

import { setImmediate } from "node:timers/promises";
import { backoffMs } from "../runtime/backoff.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { hasCode } from "../runtime/errors.ts";
import type { Carrier } from "../telemetry/carrier.ts";
import type { Claim, Claims, Settlement, Taken, TakeOptions } from "../broker/claims.ts";
import type { Emit } from "../telemetry/events.ts";
import { startAck } from "../telemetry/queue-spans.ts";
import type { Span, Tracing } from "../telemetry/tracing.ts";

/** Settlements in one call, and calls under way: the second one hides the round trip of the first. */
const BATCH_MAX = 250;
const CALLS_MAX = 2;
/** A settlement that Redis itself refuses this often is replaced by a crash without effects, and then given up. */
const REFUSALS_MAX = 3;
const BACKOFF = { firstMs: 50, maxMs: 2000 };

/** What a settle takes along, and who gets it. */
export interface TakeSource {
  ask(): TakeOptions | undefined;
  /** Always called after `ask` gave something; without `taken` when the call failed. */
  got(claims: Claims, take: TakeOptions, taken?: Taken): void;
}

export interface SettlerOptions {
  readonly claims: Claims;
  readonly takes: TakeSource;
  /** These are not held any more, as far as this worker knows. */
  readonly left: (claims: readonly Claim[]) => void;
  readonly fenced: (claims: Claims) => void;
  readonly emit: Emit;
  readonly tracing?: Tracing | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

interface Entry {
  readonly number: number;
  readonly claim: Claim;
  readonly settlement: Settlement;
  /** The rest of its run, which the same settle un-claims. */
  readonly dropped: readonly Claim[];
  readonly refusals: number;
  /** Until it is written. */
  readonly ack: Span | undefined;
}

export class Settler {
  readonly #options: SettlerOptions;
  #entries: Entry[] = [];
  #returns: Claim[] = [];
  #number = 0;
  #calls = 0;
  #failures = 0;
  #pause: AbortController | undefined;
  #scheduled = false;
  #dropped = false;
  #onSettled: (() => void) | undefined;

  constructor(options: SettlerOptions) {
    this.#options = options;
  }

  add(claim: Claim, settlement: Settlement, dropped: readonly Claim[]): void {
    const ack = settlement.trace && this.#startAck(settlement.trace, settlement);
    this.#entries.push({ number: this.#number++, claim, settlement, dropped, refusals: 0, ack });
    this.#schedule();
  }

  #startAck(parent: Carrier, { origin, kind, effects }: Settlement): Span | undefined {
    const { tracing, claims } = this.#options;
    const ack = tracing && startAck(tracing, claims.queue, { parent, origin });
    ack?.set({ "antiphon.outcome": kind, "antiphon.effects": effects.length });
    return ack;
  }

  /** Hands back, uncounted. */
  release(claims: readonly Claim[]): void {
    this.#returns.push(...claims);
    this.#schedule();
  }

  /** Tries at once what waits for a repeat: Redis is back. */
  wake(): void {
    this.#pause?.abort();
  }

  /** Fenced: nothing here can be written any more. */
  drop(): void {
    this.#dropped = true;
    this.#entries = [];
    this.#returns = [];
    this.#pause?.abort();
    this.#checkSettled();
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0 && this.#returns.length === 0 && this.#calls === 0;
  }

  /** Resolves when everything is written. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#onSettled = resolve;
      this.#checkSettled();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#dropped) return;
    this.#scheduled = true;
    void setImmediate().then(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#pause !== undefined) return;
    if (this.#returns.length > 0 && this.#calls < CALLS_MAX) void this.#return(this.#returns.splice(0, BATCH_MAX));
    while (this.#entries.length > 0 && this.#calls < CALLS_MAX) void this.#settle(this.#nextBatch());
  }

  /** What Redis has refused before goes alone, so that it cannot fail others. */
  #nextBatch(): Entry[] {
    if ((this.#entries[0]?.refusals ?? 0) > 0) return this.#entries.splice(0, 1);
    const refused = this.#entries.findIndex(({ refusals }) => refusals > 0);
    return this.#entries.splice(0, Math.min(BATCH_MAX, refused < 0 ? BATCH_MAX : refused));
  }

  async #settle(batch: readonly Entry[]): Promise<void> {
    const { claims, takes, left, emit, clock } = this.#options;
    const take = takes.ask();
    await this.#call(
      async () => {
        const askedAtMs = clock.monotonic();
        const { taken } = await claims.settle(
          batch.map(({ settlement }) => settlement),
          take,
        );
        emit("queue.asked", { queue: claims.queue, operation: "settle", ms: clock.monotonic() - askedAtMs });
        if (!this.#dropped) for (const { claim, dropped } of batch) left([claim, ...dropped]);
        for (const { ack } of batch) ack?.end();
        if (take !== undefined) takes.got(claims, take, taken);
      },
      (refused) => {
        if (take !== undefined) takes.got(claims, take);
        this.#entries = [...batch.flatMap((entry) => this.#again(entry, refused)), ...this.#entries].sort(
          (a, b) => a.number - b.number,
        );
      },
    );
  }

  async #return(batch: readonly Claim[]): Promise<void> {
    const { claims, left } = this.#options;
    await this.#call(
      async () => {
        await claims.release(batch);
        if (!this.#dropped) left(batch);
      },
      () => void this.#returns.unshift(...batch),
    );
  }

  /** `failed` puts back what was not written; `refused` tells that it was Redis itself that did not want it. */
  async #call(work: () => Promise<void>, failed: (refused: Error | undefined) => void): Promise<void> {
    const { claims, fenced } = this.#options;
    this.#calls++;
    try {
      await work();
      this.#failures = 0;
    } catch (error) {
      const away = hasCode(error, "REDIS_UNAVAILABLE") || hasCode(error, "FENCED") || !(error instanceof Error);
      failed(away ? undefined : error);
      if (this.#dropped || hasCode(error, "FENCED")) {
        this.#entries = [];
        this.#returns = [];
        fenced(claims);
      } else void this.#backOff(error);
    }
    this.#calls--;
    if (this.#entries.length > 0 || this.#returns.length > 0) this.#schedule();
    this.#checkSettled();
  }

  #again(entry: Entry, refused: Error | undefined): Entry[] {
    if (refused === undefined) return [entry];
    const { claim, settlement, dropped, refusals } = entry;
    if (refusals < REFUSALS_MAX) return [{ ...entry, refusals: refusals + 1 }];
    if (refusals < 2 * REFUSALS_MAX) {
      const crash: Settlement = { ...settlement, kind: "crash", error: refused.message, effects: [], history: "" };
      return [{ ...entry, settlement: crash, refusals: refusals + 1 }];
    }
    this.#options.left([claim, ...dropped]);
    return [];
  }

  async #backOff(error: unknown): Promise<void> {
    if (this.#pause !== undefined) return;
    const { clock, random, emit, claims } = this.#options;
    emit("settle.retry", { queue: claims.queue, error });
    this.#pause = new AbortController();
    await clock.sleep(backoffMs(this.#failures++, BACKOFF, random), this.#pause.signal);
    this.#pause = undefined;
    this.#schedule();
  }

  #checkSettled(): void {
    if (this.isEmpty) this.#onSettled?.();
  }
}
