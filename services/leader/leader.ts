// Makes this process the leader of a unit when nobody else is, keeps it so, hands over, and steps down in time.
//
// Promised: it acts as leader only while the Lease holds by its own clocks. Not promised: that there is always a leader.

import type { RedisClient } from "../redis/connect.ts";
import { backoffMs } from "../runtime/backoff.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { Loop } from "../runtime/loop.ts";
import { type Health, type Part, withDeadline } from "../runtime/part.ts";
import type { Emit } from "../telemetry/events.ts";
import type { Courtesy, Duty, EndReason, Tenure } from "./duty.ts";
import type { Lease } from "./lease.ts";
import { type LeaderState, nextState } from "./states.ts";
import type { LeaseTiming } from "./timing.ts";
import type { Watchdog } from "./watchdog.ts";

export interface LeaderOptions {
  readonly lease: Lease;
  readonly timing: LeaseTiming;
  readonly duty: Duty;
  /** Carries the word that the Lease is free; losing it costs one `pollMs`. */
  readonly subscriber: RedisClient;
  readonly freeChannel: string;
  readonly watchdog?: Watchdog;
  readonly courtesy?: Courtesy;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
}

/** Without a reason each abort makes an exception with its stack. */
const OVER = "the tenure is over";
const RETRY = { firstMs: 50, maxMs: 500 };

export class Leader implements Part {
  readonly name: string;
  readonly #options: LeaderOptions;
  readonly #loop: Loop;
  #state: LeaderState = "follower";
  #tenureEnd = new AbortController();
  #began: Promise<void> = Promise.resolve();
  #stopping = false;
  #yielded: Promise<void> | undefined;
  /** Not before this moment of the monotonic clock. */
  #competeFrom = 0;
  /** It could not begin, so it gives the Lease back although it holds. */
  #unfit = false;
  #renewal = Promise.withResolvers<void>();
  #subscription: "none" | "asked" | "made" = "none";
  #failures = 0;
  #waitMs = 0;
  #renewedAt = 0;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.name = `leader ${options.lease.unit}`;
    this.#loop = new Loop({
      name: this.name,
      intervalMs: () => this.#pauseMs(),
      tick: (signal) => this.#tick(signal),
      onError: (error) => options.emit("loop.failed", { loop: this.name, error }),
      clock: options.clock,
      random: options.random,
    });
  }

  get state(): LeaderState {
    return this.#state;
  }

  get unit(): string {
    return this.#options.lease.unit;
  }

  get leads(): boolean {
    return this.#state === "leader";
  }

  /** Whether it hears when the Lease is given back. */
  get listens(): boolean {
    return this.#subscription === "made";
  }

  async start(): Promise<void> {
    this.#options.emit("leader.stands", { unit: this.unit });
    this.#options.subscriber.on("message", this.#onMessage);
    await this.#loop.start();
  }

  /** Hands over if it leads: finish within the deadline, release, tell the others. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    if (this.#state === "leader") {
      this.#state = nextState(this.#state, "stop");
      await this.#handOver("released", deadlineMs);
    }
    await this.#yielded;
    await this.#loop.stop();
    this.#options.subscriber.off("message", this.#onMessage);
  }

  /** Hands over to another that stands by, and lets others try first for as long as a Lease lasts. */
  async yield(deadlineMs: number): Promise<void> {
    if (this.#state !== "leader" || this.#stopping) return;
    this.#state = nextState(this.#state, "yield");
    this.#yielded = this.#handOver("yielded", deadlineMs);
    await this.#yielded;
  }

  /** Renewals go on until the duty has ended: what is flushed meanwhile is written under the epoch. */
  async #handOver(reason: EndReason, deadlineMs: number): Promise<void> {
    await this.#end("handover", deadlineMs);
    const { clock, timing } = this.#options;
    this.#competeFrom = clock.monotonic() + timing.leaseMs;
    await this.#released(reason);
  }

  /** Fails only when the process believes to lead and has not renewed for long: then it is stuck, and nothing else tells. */
  health(): Health {
    const { clock, timing } = this.#options;
    const stuck = this.#state === "leader" && clock.monotonic() - this.#renewedAt > timing.leaseMs + 5_000;
    return { ok: !stuck, detail: this.#state };
  }

  async #tick(signal: AbortSignal): Promise<void> {
    this.#subscribe();
    if (this.#state === "follower" && !this.#stopping) await this.#compete(signal);
    else if (this.#state === "leader") await this.#renew();
    else if (this.#state === "releasing" && !this.#tenureEnd.signal.aborted) await this.#renew();
  }

  async #compete(signal: AbortSignal): Promise<void> {
    const { lease, courtesy, clock } = this.#options;
    this.#waitMs = Math.max(0, Math.ceil(this.#competeFrom - clock.monotonic()));
    if (this.#waitMs > 0) return;
    const delayMs = (await courtesy?.delayMs()) ?? 0;
    if (delayMs > 0 && !(await this.#othersFirst(delayMs, signal))) return;
    if (this.#stopping) return;
    this.#state = nextState(this.#state, "try");
    const won = await lease.acquire().catch(() => undefined);
    if (won && !this.#stopping) return this.#begin();
    this.#state = nextState(this.#state, "held");
    if (won) return lease.release();
    const freeInMs = won === false ? await this.#look() : undefined;
    this.#waitMs = freeInMs === undefined ? this.#retryMs() : this.#standbyMs(freeInMs);
  }

  /**
   * Counted from when the Lease is free: a try whose delay began before that could come in front of those it is meant for.
   * False: it is not free, so there is nothing to try for.
   */
  async #othersFirst(delayMs: number, signal: AbortSignal): Promise<boolean> {
    const freeInMs = await this.#look();
    if (freeInMs === 0) {
      await this.#options.clock.sleep(delayMs, signal);
      return true;
    }
    this.#waitMs = freeInMs === undefined ? this.#retryMs() : this.#standbyMs(freeInMs);
    return false;
  }

  /** When it may be free, and under which epoch it is held. Undefined: Redis did not say. */
  async #look(): Promise<number | undefined> {
    const { lease, emit } = this.#options;
    const before = lease.seenEpoch;
    const freeInMs = await lease.freeInMs().catch(() => undefined);
    const { unit, seenEpoch: epoch } = lease;
    if (epoch !== before) emit("leader.seen", { unit, epoch });
    return freeInMs;
  }

  /** Until the Lease runs out, a little spread so that not all ask at once; bounded, should the word that it is free get lost. */
  #standbyMs(freeInMs: number): number {
    this.#failures = 0;
    return Math.min(freeInMs + 5 + 45 * this.#options.random(), this.#options.timing.pollMs);
  }

  #retryMs(): number {
    return backoffMs(this.#failures++, RETRY, this.#options.random);
  }

  #begin(): void {
    const { lease, emit, clock, watchdog, courtesy } = this.#options;
    this.#state = nextState(this.#state, "won");
    this.#failures = 0;
    this.#renewedAt = clock.monotonic();
    this.#unfit = false;
    const tenureEnd = new AbortController();
    this.#tenureEnd = tenureEnd;
    const { unit, epoch } = lease;
    const held = (): boolean => !tenureEnd.signal.aborted && lease.held();
    const assert = (): void => {
      if (!held()) throw new AntiphonError("FENCED", `The Lease of ${unit} is not held.`);
    };
    const confirmed = async (): Promise<boolean> => {
      if (!lease.isConfirmed) this.#loop.wake();
      while (held() && !lease.isConfirmed) await this.#nextRenewal(tenureEnd.signal);
      return held();
    };
    watchdog?.leading(1);
    courtesy?.changed();
    emit("leader.acquired", { unit, epoch });
    this.#began = this.#beginDuty({ unit, epoch, signal: tenureEnd.signal, held, confirmed, assert });
  }

  async #beginDuty(tenure: Tenure): Promise<void> {
    try {
      await this.#options.duty.begin(tenure);
    } catch (error) {
      if (tenure.signal.aborted) return;
      this.#unfit = true;
      this.#options.emit("part.failed", { part: this.name, error });
      this.#loop.wake();
    }
  }

  async #renew(): Promise<void> {
    const { lease, clock, emit } = this.#options;
    if (this.#unfit) return this.#lose("unfit");
    if (!lease.held()) return this.#lose("silence");
    const askedAt = clock.monotonic();
    const renewed = await lease.extend().catch(() => undefined);
    const told = this.#renewal;
    this.#renewal = Promise.withResolvers();
    told.resolve();
    if (renewed) {
      this.#failures = 0;
      this.#renewedAt = clock.monotonic();
      emit("lease.renewed", { unit: lease.unit, ms: this.#renewedAt - askedAt });
    } else if (renewed === undefined && lease.held()) {
      this.#failures++;
    } else if (!this.#tenureEnd.signal.aborted) {
      await this.#lose(renewed === false ? "lost" : "silence");
    }
  }

  async #nextRenewal(ended: AbortSignal): Promise<void> {
    const { lease, clock } = this.#options;
    await Promise.race([this.#renewal.promise, clock.sleep(lease.remainingMs(), ended)]);
  }

  /** First no leader in its own eyes, then tell those who act, then compete again. */
  async #lose(reason: EndReason): Promise<void> {
    const handingOver = this.#state === "releasing";
    this.#state = nextState(this.#state, "lost");
    this.#tenureEnd.abort(OVER);
    // `stop` and `yield` go on by themselves: they wait for the duty to end.
    if (handingOver) return;
    await this.#end("fenced", this.#options.timing.closeMs);
    await this.#released(reason);
    this.#waitMs = this.#unfit ? this.#options.timing.pollMs : this.#retryMs();
  }

  async #end(how: "handover" | "fenced", deadlineMs: number): Promise<void> {
    const { duty, emit } = this.#options;
    try {
      await withDeadline(duty.end(how, deadlineMs), deadlineMs, `${this.name}, ${how},`);
      await withDeadline(this.#began, deadlineMs, `${this.name}, begin,`);
    } catch (error) {
      emit("part.failed", { part: this.name, error });
    }
  }

  /** The Lease goes only after everything under it has ended. */
  async #released(reason: EndReason): Promise<void> {
    const { lease, watchdog, courtesy, emit } = this.#options;
    this.#tenureEnd.abort(OVER);
    await lease.release();
    watchdog?.leading(-1);
    this.#state = nextState(this.#state, "released");
    courtesy?.changed();
    emit("leader.lost", { unit: lease.unit, reason });
  }

  #pauseMs(): number {
    const { lease, timing, random } = this.#options;
    if (this.#state === "follower") return this.#waitMs;
    if (this.#tenureEnd.signal.aborted) return timing.renewMs;
    const regularMs = timing.renewMs * (0.9 + 0.2 * random());
    return Math.min(this.#failures === 0 ? regularMs : backoffMs(this.#failures, RETRY, random), lease.remainingMs());
  }

  #subscribe(): void {
    if (this.#subscription !== "none") return;
    this.#subscription = "asked";
    this.#options.subscriber.subscribe(this.#options.freeChannel).then(
      () => (this.#subscription = "made"),
      () => (this.#subscription = "none"),
    );
  }

  readonly #onMessage = (channel: string, token: string): void => {
    const { freeChannel, lease } = this.#options;
    // Who could not begin lets the others try; between several such nobody must be woken by the other's release.
    if (channel === freeChannel && !this.#unfit && !lease.gaveBack(token)) this.#loop.wake();
  };
}
