// One thread or quarantine child with its slots: hands it runs, hears what came of them, enforces routes' limits.

import type { Clock } from "../runtime/clock.ts";
import type { ThreadVitals } from "../broker/vitals.ts";
import type { ActiveRun, Place } from "./active-run.ts";
import { HeapGauge } from "./heap-gauge.ts";
import { type Aborted, crashOf, failureOf, GRACE_MS, isSame, type Look, offenceOf } from "./offence.ts";
import { type OutgoingRun, packRuns } from "./packing.ts";
import type { AbortReason, FromThread, Settled, ThreadData } from "./protocol.ts";
import { SlotMemory, type Started } from "./slots.ts";
import { threadVitals } from "./thread-vitals.ts";
import type { Host, Spawn } from "./threads.ts";

export interface LaneEvents {
  /** Handlers are loaded and set up. */
  ready(lane: Lane): void;
  unfit(lane: Lane, code: string, message: string): void;
  /** The run left its slot: it is over, orphaned and over, or goes on elsewhere. */
  left(run: ActiveRun): void;
  /** The thread or child ended. `interrupted` are the runs that were in it, with a failure where they are to blame. */
  gone(lane: Lane, reason: string, interrupted: readonly ActiveRun[]): void;
}

interface Slot {
  run: ActiveRun;
  serials: readonly number[];
  aborted: Aborted | undefined;
}

/** When a thread is replaced; 0 = never. */
export interface Wear {
  readonly jobs: number;
  readonly heapMb: number;
}

export interface LaneOptions {
  readonly data: ThreadData;
  readonly spawn: Spawn;
  readonly events: LaneEvents;
  /** Of this machine: the threads mark by it when a route began. */
  readonly clock: Clock;
  /** Above this much its heap is looked at; 0 = never. */
  readonly heapMb?: number;
}

export class Lane implements Place {
  readonly index: number;
  readonly kind: ThreadData["kind"];
  readonly #options: LaneOptions;
  readonly #host: Host;
  readonly #memory: SlotMemory;
  readonly #slots: (Slot | undefined)[];
  readonly #gauge: HeapGauge;
  #busy = 0;
  #handled = 0;
  /** When the first run of the outbox was assigned: those of one tick share it. */
  #assignedAtMs = 0;
  #busyMs = 0;
  #outbox: OutgoingRun[] = [];
  #state: "starting" | "ready" | "retired" | "stopping" | "gone" = "starting";
  #stop: Promise<void> | undefined;
  #stopped: (() => void) | undefined;
  #endReason: string | undefined;

  constructor(options: LaneOptions) {
    const { data } = options;
    this.#options = options;
    this.index = data.index;
    this.kind = data.kind;
    this.#memory = new SlotMemory(data.slotMemory);
    this.#slots = Array.from({ length: data.slots }, () => undefined);
    this.#host = options.spawn(data, {
      message: (message) => this.#onMessage(message),
      gone: (reason) => this.#onGone(this.#endReason ?? reason),
    });
    this.#gauge = new HeapGauge({
      measure: async () => this.#host.heapBytes?.(),
      collect: () => this.#host.post({ type: "collect" }),
      clock: options.clock,
    });
  }

  /** Free slots; none until its handlers are ready. */
  get free(): number {
    return this.#state === "ready" ? this.#slots.length - this.#busy : 0;
  }

  get isStarting(): boolean {
    return this.#state === "starting";
  }

  /** Retired, and nothing runs in it any more. */
  get isDone(): boolean {
    return this.#state === "retired" && this.#busy === 0;
  }

  /** Why it should be replaced. */
  wornBy({ jobs, heapMb }: Wear): "jobs" | "heap" | undefined {
    if (this.#state !== "ready") return undefined;
    if (jobs > 0 && this.#handled >= jobs) return "jobs";
    return heapMb > 0 && this.#gauge.isOver(heapMb) ? "heap" : undefined;
  }

  /** Gets no more runs. */
  retire(): void {
    if (this.#state === "ready") this.#state = "retired";
  }

  /** For people. */
  vitals(aheadMs: number): ThreadVitals {
    const state = this.#state === "starting" || this.#state === "ready" ? this.#state : "leaving";
    const held = this.#slots.map((slot, at) => slot && { run: slot.run, started: this.#memory.started(at) });
    return threadVitals({ lane: this, state, held, heapBytes: this.#gauge.glance(), aheadMs });
  }

  get runs(): ActiveRun[] {
    return this.#slots.flatMap((slot) => slot?.run ?? []);
  }

  /** How long its thread was busy since this was asked last, or since it was ready. */
  takeBusyMs(): number {
    if (this.#state === "starting" || this.#state === "gone") return 0;
    const ms = this.#host.busyMs?.() ?? 0;
    const more = ms - this.#busyMs;
    this.#busyMs = ms;
    return Math.max(0, more);
  }

  /** Takes a free slot. Everything given in one tick goes to the thread as one message. */
  assign(run: ActiveRun): void {
    const slot = this.#slots.indexOf(undefined);
    if (slot < 0) throw new Error("no free slot");
    const claims = run.takeSegment();
    run.place = this;
    if (this.#outbox.length === 0) this.#assignedAtMs = this.#options.clock.monotonic();
    run.begin(this.#assignedAtMs);
    const serials = claims.map(({ serial }) => serial);
    this.#slots[slot] = { run, serials, aborted: undefined };
    this.#busy++;
    const { queue, wid } = run.owner;
    const { failure } = run;
    if (this.#outbox.length === 0) queueMicrotask(() => this.#flush());
    this.#outbox.push({ queue, wid, slot, claims, ...(failure === undefined ? {} : { failed: failure }) });
    this.cancel(run);
  }

  /** Tells the thread what of this run was cancelled. */
  cancel(run: ActiveRun): void {
    const serials = run.pendingCancels;
    if (serials.length === 0) return;
    const tell = (): void => this.#host.post({ type: "abort", serials, reason: "cancel" });
    if (this.#outbox.length === 0) tell();
    else queueMicrotask(tell); // after what it is about
  }

  /** The last delivery that has started in the slot of this run, be it one of its own or not; it may have ended unanswered. */
  begun(run: ActiveRun): number {
    return this.#memory.begun(this.#slots.findIndex((slot) => slot?.run === run));
  }

  /** From now on nothing starts here. */
  close(): void {
    this.#memory.close();
  }

  go(serial: number): void {
    if (this.#slotOf(serial) !== undefined) this.#host.post({ type: "go", serial });
  }

  abort(runs: readonly ActiveRun[], reason: AbortReason): void {
    const serials = runs.flatMap((run) => run.pending);
    if (serials.length > 0) this.#host.post({ type: "abort", serials, reason });
  }

  /** Aborts what is over a limit or cancelled, and ends the thread when that did not help for `GRACE_MS`. */
  sweep(): void {
    const look: Look = { nowMs: this.#options.clock.now(), isHeapOver: (mb) => this.#gauge.isOver(mb) };
    let heapMb = this.#options.heapMb || Number.POSITIVE_INFINITY;
    for (const [index, slot] of this.#slots.entries()) {
      if (slot === undefined) continue;
      const started = this.#memory.started(index);
      heapMb = Math.min(heapMb, started?.maxHeapMb ?? heapMb);
      if (started === undefined) slot.aborted = undefined;
      else this.#judge(slot, started, look);
    }
    if (heapMb < Number.POSITIVE_INFINITY && this.#state !== "starting") this.#gauge.look(heapMb);
  }

  /** Ends the thread at once; `gone` follows with this reason. */
  end(reason: string): void {
    this.#endReason ??= reason;
    this.#host.end();
  }

  /** Teardown within the deadline, then the end. */
  stop(deadlineMs: number): Promise<void> {
    if (this.#state === "gone") return Promise.resolve();
    this.#state = "stopping";
    this.#stop ??= new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.end("teardown took too long"), deadlineMs);
      this.#stopped = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#host.post({ type: "stop", deadlineMs });
    });
    return this.#stop;
  }

  #judge(slot: Slot, started: Started, look: Look): void {
    const offence = offenceOf(slot.run, started, look);
    const atMs = this.#options.clock.monotonic();
    if (offence === undefined) slot.aborted = undefined;
    else if (!isSame(slot.aborted, started)) {
      slot.aborted = { started, offence, atMs };
      this.#host.post({ type: "abort", serials: [started.serial], reason: offence });
    } else if (slot.aborted && atMs - slot.aborted.atMs >= GRACE_MS) this.end(slot.aborted.offence);
  }

  #flush(): void {
    const runs = this.#outbox;
    this.#outbox = [];
    if (this.#state !== "gone") this.#host.post({ type: "runs", packed: packRuns(runs) });
  }

  #onMessage(message: FromThread): void {
    switch (message.type) {
      case "settled":
        return this.#onAnswers(message.list);
      case "ready":
        this.#busyMs = this.#host.busyMs?.() ?? 0;
        if (this.#state === "starting") this.#state = "ready";
        return this.#options.events.ready(this);
      case "unfit":
        return this.#options.events.unfit(this, message.code, message.message);
      case "began":
        return this.#onBegan(message);
      case "stopped":
      case "memory":
      case "answers":
      case "measured":
      case "report":
        return; // of all but the first its host knows
    }
  }

  /** A child cannot share memory; main keeps its marks for it. */
  #onBegan(started: Extract<FromThread, { type: "began" }>): void {
    this.#memory.begin(0, { ...started, sinceMs: this.#options.clock.now() });
  }

  #onAnswers(list: readonly Settled[]): void {
    const atMs = this.#options.clock.monotonic();
    for (const settled of list) this.#onSettled(settled, atMs);
  }

  #onSettled(settled: Settled, atMs: number): void {
    const slot = this.#slotOf(settled.serial);
    if (slot === undefined) return; // its run has left: handed back or dropped
    this.#handled++;
    slot.run.answer(settled, atMs);
    if (slot.run.isIdle) {
      this.#vacate(slot);
      this.#options.events.left(slot.run);
    }
  }

  /** A look at all slots costs less than a map of what changes with every delivery. */
  #slotOf(serial: number): Slot | undefined {
    for (const slot of this.#slots) if (slot?.serials.includes(serial)) return slot;
    return undefined;
  }

  #vacate(slot: Slot): void {
    this.#slots[this.#slots.indexOf(slot)] = undefined;
    this.#busy--;
  }

  #onGone(reason: string): void {
    const { clock } = this.#options;
    const [nowMs, nowMonotonicMs] = [clock.now(), clock.monotonic()];
    this.#state = "gone";
    const interrupted: ActiveRun[] = [];
    // Main ended it because of some of its runs, or it died by itself.
    const isEnded = this.#slots.some((slot) => slot?.aborted && nowMonotonicMs - slot.aborted.atMs >= GRACE_MS);
    for (const [index, slot] of this.#slots.entries()) {
      if (slot === undefined) continue;
      slot.run.recall();
      slot.run.failure ??= isEnded
        ? failureOf(slot.aborted, nowMonotonicMs)
        : crashOf(this.#memory.started(index), reason, nowMs);
      interrupted.push(slot.run);
    }
    this.#slots.fill(undefined);
    this.#stopped?.();
    this.#options.events.gone(this, reason, interrupted);
  }
}
