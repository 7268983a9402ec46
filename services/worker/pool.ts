// The handler threads of one kind: places runs into free slots; hands back or fails what was in a thread that died.

import type { ThreadVitals } from "../broker/vitals.ts";
import { backoffMs } from "../runtime/backoff.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import type { Part } from "../runtime/part.ts";
import { Table } from "../runtime/table.ts";
import type { Emit } from "../telemetry/events.ts";
import type { ActiveRun } from "./active-run.ts";
import type { Lane, LaneEvents, Wear } from "./lane.ts";
import { Lanes } from "./lanes.ts";
import type { AbortReason, ThreadData } from "./protocol.ts";
import type { Quarantine } from "./quarantine.ts";
import { refusal } from "./refusal.ts";
import type { Spawn } from "./threads.ts";

const NO_CHILD_DELAY = { firstMs: 1000, maxMs: 1000 };

export interface PoolOptions {
  readonly kind: "chat" | "work";
  /** One for each thread. */
  readonly threads: readonly ThreadData[];
  readonly spawn: Spawn;
  readonly wear: Wear;
  readonly quarantine: Quarantine;
  readonly emit: Emit;
  readonly clock: Clock;
  readonly random: Random;
}

export class Pool implements Part, LaneEvents {
  readonly name: string;
  /** Slots became free, and no settlement that would take for them is on its way. */
  onRoom: () => void = () => {};
  readonly #options: PoolOptions;
  readonly #lanes: Lanes;
  /** By serial. */
  readonly #active = new Table<ActiveRun>();
  /** Runs that lost their thread and wait for a slot in another one. */
  readonly #waiting: ActiveRun[] = [];
  readonly #quarantined = new Set<ActiveRun>();
  #reserved = 0;
  #starting: { ready: number; resolve: () => void; reject: (error: Error) => void } | undefined;
  #closing = false;
  #onIdle: (() => void) | undefined;

  constructor(options: PoolOptions) {
    this.name = `${options.kind} threads`;
    this.#options = options;
    this.#lanes = new Lanes({ ...options, events: this });
  }

  /** Resolves when every thread has loaded and set up the handlers; rejects when one cannot. */
  async start(stopping?: AbortSignal): Promise<void> {
    const abort = (): void => this.#starting?.reject(new Error("stopped while the handlers were loading"));
    stopping?.addEventListener("abort", abort, { once: true });
    try {
      await new Promise<void>((resolve, reject) => {
        this.#starting = { ready: 0, resolve, reject };
        this.#lanes.start();
      });
    } catch (error) {
      this.#lanes.abandon("another thread could not start");
      throw error;
    } finally {
      stopping?.removeEventListener("abort", abort);
      this.#starting = undefined;
    }
  }

  get threads(): number {
    return this.#options.threads.length;
  }

  get slots(): number {
    return this.#options.threads.reduce((sum, { slots }) => sum + slots, 0);
  }

  get busy(): number {
    return this.#active.size;
  }

  /** For people. */
  vitals(aheadMs: number): ThreadVitals[] {
    return this.#lanes.all.map((lane) => lane.vitals(aheadMs));
  }

  /** How long its threads were busy since this was asked last. */
  takeBusyMs(): number {
    return this.#lanes.all.reduce((sum, lane) => sum + lane.takeBusyMs(), 0);
  }

  /** Slots that a take may fill. */
  get free(): number {
    if (this.#closing) return 0;
    let free = -this.#waiting.length - this.#quarantined.size - this.#reserved;
    for (const lane of this.#lanes.present) free += lane?.free ?? 0;
    return Math.max(0, free);
  }

  /** Sets free slots aside for a take under way; give back with `unreserve` when its reply is there. */
  reserve(most: number): number {
    const slots = Math.min(this.free, Math.ceil(most));
    this.#reserved += slots;
    return slots;
  }

  unreserve(slots: number): void {
    this.#reserved -= slots;
  }

  add(run: ActiveRun): void {
    this.#active.set(run.serial, run);
    this.#place(run);
  }

  /** Enforces the limits of routes and threads. */
  sweep(): void {
    this.#lanes.sweep();
  }

  abort(runs: readonly ActiveRun[], reason: AbortReason): void {
    for (const lane of this.#lanes.all)
      lane.abort(
        lane.runs.filter((run) => runs.includes(run)),
        reason,
      );
    this.#options.quarantine.abort(runs, reason);
  }

  /** A delivery of this run was cancelled. */
  cancel(run: ActiveRun): void {
    for (const lane of this.#lanes.all) if (lane.runs.includes(run)) lane.cancel(run);
    this.#options.quarantine.cancel(run);
  }

  /** A drain begins: nothing starts any more, and all that has not started is handed back. */
  close(): void {
    this.#closing = true;
    for (const lane of this.#lanes.all) {
      lane.close();
      for (const run of lane.runs) run.handBackAfter(lane.begun(run));
    }
    for (const run of this.#waiting.splice(0)) this.#return(run);
    this.#options.quarantine.close();
    this.#checkIdle();
  }

  /** Runs that still hold claims. */
  get holding(): ActiveRun[] {
    return this.#active.values().filter((run) => !run.isOrphaned);
  }

  /** Resolves when no run holds a claim. */
  whenIdle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve;
      this.#checkIdle();
    });
  }

  /** The drain time is over: what still runs is handed back and runs on as a zombie whose outcome is refused. */
  handBackAll(): void {
    for (const run of this.holding) run.handBackAfter(undefined);
    this.#checkIdle();
  }

  /** Teardown in every thread, then their end. */
  async stop(deadlineMs: number): Promise<void> {
    this.#closing = true;
    await this.#lanes.stop(deadlineMs);
  }

  // What lanes and the quarantine tell:

  ready(lane: Lane): void {
    this.#options.emit("thread.started", { thread: lane.index, kind: lane.kind });
    this.#lanes.ready(lane);
    const { threads } = this.#options;
    if (this.#starting && ++this.#starting.ready === threads.length) this.#starting.resolve();
    this.#serveWaiting();
    this.onRoom();
  }

  unfit(lane: Lane, code: string, message: string): void {
    this.#starting?.reject(refusal(code, message));
    lane.end(`${code}: ${message}`);
  }

  left(run: ActiveRun): void {
    this.#quarantined.delete(run);
    if (run.isOver || run.isOrphaned) this.#remove(run);
    else if (run.failure !== undefined && !this.#closing) this.#place(run);
    else this.#return(run); // what is next belongs elsewhere, and may not begin before this outcome is written
    this.#serveWaiting();
    if (run.isOrphaned) this.onRoom();
  }

  gone(lane: Lane, reason: string, interrupted: readonly ActiveRun[]): void {
    this.#lanes.gone(lane, { reason, deliveries: interrupted.length, isFinal: this.#starting !== undefined });
    this.#starting?.reject(new AntiphonError("HANDLER_LOAD_FAILED", `A thread ended while it loaded them: ${reason}`));
    for (const run of interrupted) this.#survive(run);
  }

  /** A run whose thread is gone: its failure is composed elsewhere; one that only shared the thread goes back uncounted. */
  #survive(run: ActiveRun): void {
    if (run.isHopeless) run.giveUp();
    if (run.isOrphaned || run.isOver) this.#remove(run);
    else if (run.failure === undefined || this.#closing) this.#return(run);
    else this.#place(run);
  }

  #return(run: ActiveRun): void {
    run.handBackAfter(undefined);
    this.#remove(run);
  }

  #place(run: ActiveRun): void {
    if (run.needsQuarantine) return this.#isolate(run);
    let best: Lane | undefined;
    for (const lane of this.#lanes.present) if (lane !== undefined && lane.free > (best?.free ?? 0)) best = lane;
    if (best === undefined) this.#waiting.push(run);
    else best.assign(run);
  }

  /** Where too many wait for a child already, this one waits in the broker: others may have one, or outlive this process. */
  #isolate(run: ActiveRun): void {
    const { quarantine, random } = this.#options;
    if (quarantine.isFull) {
      run.putOff(backoffMs(0, NO_CHILD_DELAY, random));
      this.#remove(run);
    } else {
      this.#quarantined.add(run);
      quarantine.add(run, (back) => this.left(back));
    }
  }

  #serveWaiting(): void {
    while (this.#waiting.length > 0 && this.#lanes.present.some((lane) => (lane?.free ?? 0) > 0)) {
      this.#place(this.#waiting.shift() as ActiveRun);
    }
  }

  #remove(run: ActiveRun): void {
    this.#active.delete(run.serial);
    this.#checkIdle();
  }

  #checkIdle(): void {
    if (this.#onIdle !== undefined && this.holding.length === 0) this.#onIdle();
  }
}
