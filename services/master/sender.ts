// The outbox of one unit while this process leads it: claims Actions, has them executed one at a time per room, settles.
//
// Promised: one attempt at a time per room, in order; nothing is settled under an old epoch. An Action that was claimed when
// the process died is in doubt, and the next leader decides about it before it speaks in that room.

import type { Claim, Settlement } from "../broker/claims.ts";
import { claimedAtMs, enqueuedAtMs } from "../broker/delivery.ts";
import type { OutboxClaims } from "../broker/outbox.ts";
import { ServerClock } from "../broker/server-clock.ts";
import type { Tenure } from "../leader/duty.ts";
import type { RedisClient } from "../redis/connect.ts";
import { backoffMs } from "../runtime/backoff.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { hasCode } from "../runtime/errors.ts";
import { publicId } from "../runtime/ids.ts";
import { Loop } from "../runtime/loop.ts";
import type { Action } from "../sdk/action.ts";
import type { Emit } from "../telemetry/events.ts";
import { during, type Tracing } from "../telemetry/tracing.ts";
import type { Executor, Verdict } from "./executor.ts";
import { type StoredAction, TracedOutbox, withoutTrace } from "./traced-outbox.ts";

export interface SenderOptions {
  readonly outbox: OutboxClaims;
  readonly executor: Executor;
  readonly tenure: Tenure;
  /** Reads a body that is kept apart from its delivery. */
  readonly readBody: (queue: string, token: string) => Promise<Buffer | null>;
  /** The only room that may be spoken in, if there is one: see ANTIPHON_OUTBOX_REDIRECT. */
  readonly only?: string | undefined;
  /** Hears the outbox's bell; a lost ring costs one `LOOK_MS`. */
  readonly subscriber: RedisClient;
  /** Whether the connection can be spoken through; `wake()` says that it may have changed. */
  readonly ready: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
  readonly tracing?: Tracing | undefined;
}

const LOOK_MS = 1_000;
/** Rooms spoken to at once. */
const SLOTS = 32;
const AGAIN = { firstMs: 50, maxMs: 1_000 };
/** What could not be done for so long is a dead letter, unless the Action names a time of its own. */
const AGE_MAX_MS = 24 * 3_600_000;
/** Every so many takes announcements come first, so that they do not wait for ever where people never stop asking. */
const TURN_OF_ANNOUNCEMENTS = 8;

export class Sender {
  readonly #options: SenderOptions;
  readonly #loop: Loop;
  /** Delivery number -> its way to a settlement. */
  readonly #underway = new Map<string, Promise<void>>();
  /** Aborts when nothing more is to be said. */
  readonly #over = new AbortController();
  #doubts: Map<string, number> | undefined;
  #draining = false;
  /** A take whose answer was lost may have claimed Actions for us. */
  #unsure = false;
  #listening = false;
  #takes = 0;
  /** Ticks in a row. */
  #failures = 0;
  readonly #serverClock: ServerClock;
  readonly #traced: TracedOutbox | undefined;
  #nextDueMs: number | null = null;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#serverClock = new ServerClock(options.clock);
    this.#traced = options.tracing && new TracedOutbox(options.tracing, options.outbox.queue);
    this.#loop = new Loop({
      name: `sender ${options.tenure.unit}`,
      intervalMs: () => this.#pauseMs(),
      tick: () => this.#tickOrFail(),
      onError: (error) => this.#failed(error),
      clock: options.clock,
      random: options.random,
    });
    options.tenure.signal.addEventListener("abort", () => this.#over.abort(), { once: true });
  }

  async start(): Promise<void> {
    this.#options.subscriber.on("smessage", this.#onRing);
    await this.#loop.start();
  }

  wake(): void {
    this.#loop.wake();
  }

  /** Takes no more; what is under way may finish and settle. The rest stays claimed: in doubt for the next leader. */
  async drain(deadlineMs: number): Promise<void> {
    this.#draining = true;
    const waited = new AbortController();
    const finished = Promise.all(this.#underway.values()).then(() => waited.abort());
    await Promise.race([finished, this.#options.clock.sleep(deadlineMs, waited.signal)]);
    await this.stop();
  }

  async stop(): Promise<void> {
    this.#over.abort();
    const { subscriber, outbox } = this.#options;
    subscriber.off("smessage", this.#onRing);
    if (this.#listening) subscriber.sunsubscribe(outbox.bell).catch(() => {}); // away: then nobody rings either
    await this.#loop.stop();
  }

  /** A Redis that is away is asked again soon: people wait for words. */
  async #tickOrFail(): Promise<void> {
    try {
      await this.#tick();
      this.#failures = 0;
    } catch (error) {
      this.#failures++;
      this.#failed(error);
    }
  }

  async #tick(): Promise<void> {
    const { tenure, outbox, ready } = this.#options;
    if (this.#draining || this.#over.signal.aborted || !tenure.held()) return;
    this.#listen();
    this.#doubts ??= await outbox.recover();
    if (!ready()) return;
    if (this.#unsure) await this.#resync();
    const slots = SLOTS - this.#underway.size;
    if (slots <= 0) return;
    this.#unsure = true;
    const { runs, nextDueMs, atMs } = await outbox.take({ slots, run: 1, order: this.#order() });
    this.#serverClock.learn(atMs);
    this.#unsure = false;
    this.#nextDueMs = nextDueMs;
    for (const claim of runs.flat()) this.#begin(claim);
  }

  /** By class: answers are 1, announcements 2. Within a room its own order goes before. */
  #order(): string {
    this.#takes = (this.#takes + 1) % TURN_OF_ANNOUNCEMENTS;
    return this.#takes === 0 ? "2013" : "0123";
  }

  async #resync(): Promise<void> {
    const held = await this.#options.outbox.held();
    for (const claim of held) if (!this.#underway.has(claim.id)) this.#begin(claim);
    this.#unsure = false;
  }

  #begin(claim: Claim): void {
    if (this.#draining || this.#over.signal.aborted) return;
    const done = this.#send(claim)
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#underway.delete(claim.id);
        this.#loop.wake();
      });
    this.#underway.set(claim.id, done);
  }

  async #send(claim: Claim): Promise<void> {
    const verdict = await this.#verdictOf(claim);
    if (verdict.kind === "left") return;
    await this.#settle(claim, verdict);
    this.#doubts?.delete(claim.id);
  }

  async #verdictOf(claim: Claim): Promise<Verdict> {
    const { executor, clock, random } = this.#options;
    for (let failures = 0; !this.#over.signal.aborted; failures++) {
      try {
        const action = await this.#actionOf(claim);
        if (action === "deleted") return { kind: "done" };
        if (!action) return { kind: "dead", error: "it is no Action" };
        const refused = this.#refused(claim, action);
        if (refused !== undefined) return refused;
        const given = {
          action: withoutTrace(action),
          attempts: claim.element.attempts,
          doubtSince: this.#doubts?.get(claim.id),
          signal: this.#over.signal,
        };
        if (this.#traced === undefined) return await executor.run(given);
        return await this.#traced.attempt(claim, action, () => executor.run(given));
      } catch (error) {
        // Redis is away, before anything was said.
        this.#failed(error);
        await clock.sleep(backoffMs(failures, AGAIN, random), this.#over.signal);
      }
    }
    return { kind: "left" };
  }

  /** By the server's clock alone. */
  #refused(claim: Claim, action: Action): Verdict | undefined {
    const { only, tenure, emit } = this.#options;
    if (only !== undefined && only !== `${action.unit}:${action.room}`)
      return { kind: "dead", error: `ANTIPHON_OUTBOX_REDIRECT allows only ${only}` };
    const [now, since] = [claimedAtMs(claim.fence), enqueuedAtMs(claim.id)];
    const { ttl, notAfter } = action;
    if (now - since <= (ttl ?? AGE_MAX_MS) && (notAfter === undefined || now <= notAfter)) return undefined;
    const { unit } = tenure;
    if (this.#doubts?.has(claim.id)) emit("action.in-doubt", { unit, action: action.id, result: "expired" });
    emit("action.expired", { unit, action: action.id, afterMs: now - since });
    const isByDefault = ttl === undefined && (notAfter === undefined || now <= notAfter);
    return isByDefault ? { kind: "dead", error: "it could not be said within a day" } : { kind: "done" };
  }

  async #actionOf(claim: Claim): Promise<StoredAction | "deleted" | undefined> {
    const apart = claim.body === null && claim.bodyToken !== "";
    const body = apart ? await this.#options.readBody(this.#options.outbox.queue, claim.bodyToken) : claim.body;
    if (body === null) return "deleted";
    try {
      const action = JSON.parse(body.toString("utf8")) as StoredAction;
      return typeof action.id === "string" && typeof action.room === "string" ? action : undefined;
    } catch {
      return undefined;
    }
  }

  /** Until Redis has it: without its outcome an Action would be in doubt although we know. */
  #settle(claim: Claim, verdict: Exclude<Verdict, { kind: "left" }>): Promise<void> {
    const ack = this.#traced?.ack(claim);
    return ack === undefined
      ? this.#settleUntilWritten(claim, verdict)
      : during(ack, () => this.#settleUntilWritten(claim, verdict));
  }

  async #settleUntilWritten(claim: Claim, verdict: Exclude<Verdict, { kind: "left" }>): Promise<void> {
    const { outbox, clock, random } = this.#options;
    const settlement = this.#settlementOf(claim, verdict);
    for (let failures = 0; !this.#over.signal.aborted; failures++) {
      try {
        await outbox.settle([settlement]);
        return;
      } catch (error) {
        this.#failed(error);
        await clock.sleep(backoffMs(failures, AGAIN, random), this.#over.signal);
      }
    }
  }

  #settlementOf(claim: Claim, verdict: Exclude<Verdict, { kind: "left" }>): Settlement {
    const common = { claim, origin: publicId(claim.id), effects: [], history: "" };
    if (verdict.kind === "later") return { ...common, kind: "park", delayMs: verdict.afterMs };
    if (verdict.kind === "again") {
      return { ...common, kind: "block", delayMs: verdict.afterMs, error: verdict.error };
    }
    if (verdict.kind !== "done") {
      this.#options.emit("action.failed", {
        unit: this.#options.tenure.unit,
        action: common.origin,
        kind: "dead",
        error: verdict.error,
      });
      return { ...common, kind: "dead", error: verdict.error };
    }
    return verdict.said
      ? { ...common, kind: "done", effects: [{ kind: "ref", id: "", ...verdict.said }] }
      : { ...common, kind: "done" };
  }

  #listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    this.#options.subscriber.ssubscribe(this.#options.outbox.bell).catch(() => (this.#listening = false));
  }

  #failed(error: unknown): void {
    const { emit, tenure } = this.#options;
    // Redis says that another leads: the renewal will say so too. Until then nothing more is said.
    if (hasCode(error, "FENCED")) {
      this.#over.abort();
      emit("write.fenced", { unit: tenure.unit });
    }
    emit("loop.failed", { loop: `sender ${tenure.unit}`, error });
  }

  #pauseMs(): number {
    if (this.#failures > 0) return backoffMs(this.#failures - 1, AGAIN, this.#options.random);
    if (this.#nextDueMs === null) return LOOK_MS;
    return Math.min(Math.max(this.#serverClock.untilMs(this.#nextDueMs), 5), LOOK_MS);
  }

  readonly #onRing = (channel: string): void => {
    if (channel === this.#options.outbox.bell) this.#loop.wake();
  };
}
