// One queue as this worker serves it: registration under a wid, what is held there, and what happens when the wid is fenced.
//
//   absent ─register─▶ registered ─FENCED (beat, take, settle)─▶ absent …        a new wid each time
//
// When Redis says on two beats in a row that this worker holds something else than it believes (holdings.ts), resync hands
// back what is not known here.

import { AntiphonError, hasCode } from "../runtime/errors.ts";
import { randomId } from "../runtime/ids.ts";
import { type Claim, Claims, type Order, type Run } from "../broker/claims.ts";
import { Table } from "../runtime/table.ts";
import { ActiveRun, type RunOwner } from "./active-run.ts";
import { Cancels } from "./cancels.ts";
import { Fetcher } from "./fetcher.ts";
import { Figures } from "./figures.ts";
import { Holdings } from "./holdings.ts";
import type { Pool } from "./pool.ts";
import type { ServedQueueOptions } from "./served-queue-options.ts";
import { settlementOf } from "./settlement.ts";
import { Settler } from "./settler.ts";

interface Registration {
  readonly claims: Claims;
  readonly settler: Settler;
  /** Whether the bell is subscribed to. */
  isHeard: boolean;
  /** Whether Redis knows the client id of the present connection. */
  isTold: boolean;
}

export class ServedQueue {
  readonly queue: string;
  readonly fetcher: Fetcher;
  readonly figures = new Figures();
  readonly #options: ServedQueueOptions;
  readonly #holdings = new Holdings();
  /** By serial. */
  readonly #active = new Table<ActiveRun>();
  #registration: Registration | undefined;
  #registering: Promise<void> | undefined;
  #order: Order = "";
  #mismatched = false;
  #unreadable = 0;
  readonly #cancels: Cancels;
  #closed = false;
  #isPaused = false;
  #returned = 0;
  #onRegistered: (() => void) | undefined;

  constructor(options: ServedQueueOptions) {
    const { queue, turns, weight, serverClock, emit, clock, random } = options;
    this.queue = queue;
    this.#options = options;
    this.#cancels = new Cancels(clock);
    this.fetcher = new Fetcher({
      queue,
      slots: turns.join(weight, () => this.fetcher.serve()),
      claims: () => this.#registration?.claims,
      accept: (claims, runs) => this.#accept(claims, runs),
      failed: (claims, error) => this.#failed(claims, error),
      serverClock,
      emit,
      clock,
      random,
    });
  }

  /** Whose threads run what is taken here. */
  get pool(): Pool {
    return this.#options.pool;
  }

  get isRegistered(): boolean {
    return this.#registration !== undefined;
  }

  /** What the last beat said. */
  get order(): Order {
    return this.#order;
  }

  /** Deliveries handed back so far. */
  get returned(): number {
    return this.#returned;
  }

  /** Counts how long runs have held their slots until now. */
  count(atMs: number): void {
    for (const run of this.#active.values()) this.figures.held(run.heldMs(atMs));
  }

  /** Joins the queue under a new wid and begins to take. */
  register(): Promise<void> {
    this.#registering ??= this.#register().finally(() => (this.#registering = undefined));
    return this.#registering;
  }

  /** Renews the claims, or registers where that is due. Throws when Redis did not accept it. */
  async beat(): Promise<void> {
    const registration = this.#registration;
    if (registration === undefined) return this.register();
    const { claims } = registration;
    try {
      if (!registration.isTold) await this.#tell(registration);
      if (!registration.isHeard) await this.#listen(registration);
      const { held, nextDueMs, order, hasWork, unreadable } = await this.figures.tell((ran) => claims.beat(ran));
      this.#order = order;
      if (registration !== this.#registration) return;
      if (unreadable > this.#unreadable)
        this.#options.emit("queue.unreadable", { queue: this.queue, elements: unreadable });
      this.#unreadable = unreadable;
      this.fetcher.due(nextDueMs);
      if (hasWork) this.fetcher.wake(); // it may be that nobody heard the bell
      const mismatched = held !== this.#holdings.size;
      if (mismatched && this.#mismatched) await this.#resync(registration);
      this.#mismatched = mismatched && !this.#mismatched;
    } catch (error) {
      this.#failed(claims, error);
    }
  }

  /** The connection is back: tells its new client id, and goes on at once. */
  reconnected(): void {
    const registration = this.#registration;
    if (registration === undefined) return;
    registration.isTold = false;
    registration.settler.wake();
    this.fetcher.wake();
    this.beat().catch(() => {}); // the next beat tries again
  }

  /** Resolves at the first registration. */
  async registered(stopping: AbortSignal): Promise<void> {
    if (this.isRegistered) return;
    await new Promise<void>((resolve, reject) => {
      this.#onRegistered = resolve;
      stopping.addEventListener("abort", () => reject(new Error("stopped before it was registered")), { once: true });
    });
  }

  /** Takes no more and is rung no more until `resume`. To be called again from time to time: a take under way may undo it. */
  pause(): void {
    this.#isPaused = true;
    this.fetcher.quiet();
    this.#registration?.claims.leaveIdle().catch(() => {}); // a bell that nobody hears costs others a second
  }

  resume(): void {
    if (!this.#isPaused || this.#closed) return;
    this.#isPaused = false;
    this.fetcher.resume();
  }

  /** Takes no more, and is rung no more. */
  async quiet(): Promise<void> {
    this.#closed = true;
    this.fetcher.quiet();
    await this.#registration?.claims.leaveIdle();
  }

  /** Resolves when all outcomes are written. */
  async settled(): Promise<void> {
    await this.#registration?.settler.settled();
  }

  /** Hands back what is left and leaves. */
  async bye(): Promise<void> {
    const registration = this.#registration;
    if (registration === undefined) return;
    this.#registration = undefined;
    registration.settler.drop();
    this.#options.bells.forget(registration.claims.bell);
    await registration.claims.bye(this.#holdings.all);
  }

  async #register(): Promise<void> {
    const { queue, pod, broker, emit, tracing, clock, random } = this.#options;
    if (this.#closed) return;
    const claims = new Claims({ ...broker, queue, wid: `${pod}.${randomId()}` });
    const settler = new Settler({
      claims,
      takes: this.fetcher,
      left: (gone) => this.#holdings.left(gone),
      fenced: (fenced) => this.#fenced(fenced),
      emit,
      tracing,
      clock,
      random,
    });
    const registration = { claims, settler, isHeard: false, isTold: false };
    await this.#tell(registration);
    this.#registration = registration;
    emit("worker.registered", { queue, wid: claims.wid });
    this.#onRegistered?.();
    this.fetcher.wake();
    await this.#listen(registration);
  }

  async #tell(registration: Registration): Promise<void> {
    const { clientId, pod, facts } = this.#options;
    const isMember = await registration.claims.register({ clientId: await clientId(), pod, facts: await facts() });
    if (!isMember) throw new AntiphonError("FENCED", "");
    registration.isTold = true;
  }

  async #listen(registration: Registration): Promise<void> {
    await this.#options.bells.listen(registration.claims.bell, (message) => this.#hear(message));
    registration.isHeard = true;
  }

  #hear(message: string): void {
    const cancelled = /^cancel (\d+)$/.exec(message)?.[1];
    if (cancelled === undefined) this.fetcher.wake();
    else if (!this.#cancel(cancelled)) this.#cancels.add(cancelled);
  }

  #cancel(id: string): boolean {
    for (const run of this.#active.values()) {
      if (!run.cancel(id)) continue;
      this.#options.pool.cancel(run);
      return true;
    }
    return false;
  }

  #accept(claims: Claims, runs: readonly Run[]): void {
    const registration = this.#registration;
    if (registration?.claims !== claims) return; // fenced or gone meanwhile: the reaper has them
    const deliveries = runs.reduce((sum, run) => sum + run.length, 0);
    if (deliveries > 0) this.#options.emit("claims.taken", { queue: this.queue, deliveries });
    for (const run of runs) {
      this.#holdings.add(run);
      if (this.#closed) registration.settler.release(run);
      else this.#begin(registration, run);
    }
  }

  #handBack(settler: Settler, claims: readonly Claim[]): void {
    this.#returned += claims.length;
    settler.release(claims);
  }

  #begin(registration: Registration, claims: Run): void {
    const run = new ActiveRun(this.#owner(registration), claims, this.#options.serials(claims.length));
    this.#active.set(run.serial, run);
    this.#options.pool.add(run);
    for (const { id } of claims) if (this.#cancels.has(id)) this.#cancel(id);
  }

  #owner({ claims, settler }: Registration): RunOwner {
    return {
      queue: this.queue,
      wid: claims.wid,
      answered: ({ claim, settled, dropped, written, ranMs, heldMs }) => {
        const { kind } = settled;
        this.figures.held(heldMs);
        this.figures.answered(settled, ranMs, claim.element.route);
        const gone = [claim, ...dropped];
        if (kind === "interrupted") this.#handBack(settler, gone);
        else if (kind === "lost") this.#holdings.left(gone);
        else {
          if (written !== undefined) this.#holdings.hold(claim, written);
          settler.add(claim, settlementOf(claim, settled, kind), dropped);
        }
        if (kind === "interrupted" || kind === "lost") this.fetcher.wake();
      },
      handBack: (returned) => this.#handBack(settler, returned),
      over: (run) => this.#active.delete(run.serial),
    };
  }

  #failed(claims: Claims, error: unknown): void {
    if (!hasCode(error, "FENCED")) throw error;
    this.#fenced(claims);
  }

  /** Another worker has or will have all of it: abort the runs, forget everything, come back as somebody new. */
  #fenced(claims: Claims): void {
    const registration = this.#registration;
    if (registration?.claims !== claims) return;
    const { emit, bells, pool } = this.#options;
    emit("worker.fenced", { queue: this.queue, wid: claims.wid });
    this.#registration = undefined;
    registration.settler.drop();
    bells.forget(claims.bell);
    this.#holdings.clear();
    const runs = this.#active.values();
    for (const run of runs) run.orphan();
    pool.abort(runs, "fenced");
    this.register().catch(() => {}); // the next beat tries again
  }

  async #resync({ claims, settler }: Registration): Promise<void> {
    const unknown = await this.#holdings.unknown(() => claims.held());
    if (unknown.length === 0) return;
    this.#options.emit("claims.resynced", { queue: this.queue, deliveries: unknown.length });
    settler.release(unknown);
  }
}
