// One thread or quarantine child with its slots: hands it runs, hears what came of them, enforces routes' timeouts.

import type { Clock } from "../runtime/clock.ts";
import type { AbortReason, Failure, FromThread, OutgoingRun, Settled, ThreadData } from "./protocol.ts";
import { packRuns } from "./protocol.ts";
import type { ActiveRun, Place } from "./active-run.ts";
import { SlotMemory, type Started } from "./slots.ts";
import type { Host, Spawn } from "./threads.ts";

/** How long an aborted run may go on before its thread is ended. */
export const GRACE_MS = 1000;

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
  /** Set when the route's time was over: which one, and when that was seen (monotonic ms). */
  overdue: (Started & { readonly atMs: number }) | undefined;
}

export interface LaneOptions {
  readonly data: ThreadData;
  readonly spawn: Spawn;
  readonly events: LaneEvents;
  /** Of this machine: the threads mark by it when a route began. */
  readonly clock: Clock;
}

export class Lane implements Place {
  readonly index: number;
  readonly kind: ThreadData["kind"];
  readonly #options: LaneOptions;
  readonly #host: Host;
  readonly #memory: SlotMemory;
  readonly #slots: (Slot | undefined)[];
  readonly #bySerial = new Map<number, number>();
  #busy = 0;
  #outbox: OutgoingRun[] = [];
  #state: "starting" | "ready" | "stopping" | "gone" = "starting";
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
  }

  /** Free slots; none until its handlers are ready. */
  get free(): number {
    return this.#state === "ready" ? this.#slots.length - this.#busy : 0;
  }

  get isStarting(): boolean {
    return this.#state === "starting";
  }

  get runs(): ActiveRun[] {
    return this.#slots.flatMap((slot) => slot?.run ?? []);
  }

  /** Takes a free slot. Everything given in one tick goes to the thread as one message. */
  assign(run: ActiveRun): void {
    const slot = this.#slots.indexOf(undefined);
    if (slot < 0) throw new Error("no free slot");
    const claims = run.takeSegment();
    run.place = this;
    const serials = claims.map(({ serial }) => serial);
    this.#slots[slot] = { run, serials, overdue: undefined };
    this.#busy++;
    for (const serial of serials) this.#bySerial.set(serial, slot);
    const { queue, wid } = run.owner;
    const { failure } = run;
    if (this.#outbox.length === 0) queueMicrotask(() => this.#flush());
    this.#outbox.push({ queue, wid, slot, claims, ...(failure === undefined ? {} : { failed: failure }) });
  }

  /** What has started in the slot of this run. */
  started(run: ActiveRun): Started | undefined {
    return this.#memory.started(this.#slots.findIndex((slot) => slot?.run === run));
  }

  /** From now on nothing starts here. */
  close(): void {
    this.#memory.close();
  }

  go(serial: number): void {
    if (this.#bySerial.has(serial)) this.#host.post({ type: "go", serial });
  }

  abort(runs: readonly ActiveRun[], reason: AbortReason): void {
    const serials = runs.flatMap((run) => run.pending);
    if (serials.length > 0) this.#host.post({ type: "abort", serials, reason });
  }

  /** Aborts what is over its time, and ends the thread when that did not help for `GRACE_MS`. */
  sweep(): void {
    const nowMs = this.#options.clock.now();
    for (const [index, slot] of this.#slots.entries()) {
      if (slot === undefined) continue;
      const started = this.#memory.started(index);
      if (started === undefined || nowMs - started.sinceMs <= started.timeoutMs) slot.overdue = undefined;
      else this.#overdue(slot, started);
    }
  }

  /** Ends the thread at once; `gone` follows with this reason. */
  end(reason: string): void {
    this.#endReason ??= reason;
    this.#host.end();
  }

  /** Teardown within the deadline, then the end. */
  async stop(deadlineMs: number): Promise<void> {
    if (this.#state === "gone") return;
    this.#state = "stopping";
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.end("teardown took too long"), deadlineMs);
      this.#stopped = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#host.post({ type: "stop", deadlineMs });
    });
  }

  #overdue(slot: Slot, started: Started): void {
    const now = this.#options.clock.monotonic();
    const { overdue } = slot;
    if (overdue?.serial !== started.serial || overdue.sinceMs !== started.sinceMs) {
      slot.overdue = { ...started, atMs: now };
      this.#host.post({ type: "abort", serials: [started.serial], reason: "timeout" });
    } else if (now - overdue.atMs >= GRACE_MS) this.end("timeout");
  }

  #flush(): void {
    const runs = this.#outbox;
    this.#outbox = [];
    if (this.#state !== "gone") this.#host.post({ type: "runs", packed: packRuns(runs) });
  }

  #onMessage(message: FromThread): void {
    switch (message.type) {
      case "settled":
        for (const settled of message.list) this.#onSettled(settled);
        return;
      case "ready":
        if (this.#state === "starting") this.#state = "ready";
        return this.#options.events.ready(this);
      case "unfit":
        return this.#options.events.unfit(this, message.code, message.message);
      case "began":
        return this.#onBegan(message);
      case "stopped":
        return;
    }
  }

  /** A child cannot share memory; main keeps its marks for it. */
  #onBegan({ serial, timeoutMs, route = 0 }: Extract<FromThread, { type: "began" }>): void {
    if (timeoutMs === 0) this.#memory.end(0);
    else this.#memory.begin(0, { serial, sinceMs: this.#options.clock.now(), timeoutMs, route });
  }

  #onSettled(settled: Settled): void {
    const index = this.#bySerial.get(settled.serial);
    const slot = index === undefined ? undefined : this.#slots[index];
    if (slot === undefined) return; // its run has left: handed back or dropped
    slot.run.answer(settled);
    if (slot.run.isIdle) {
      this.#vacate(slot);
      this.#options.events.left(slot.run);
    }
  }

  #vacate(slot: Slot): void {
    for (const serial of slot.serials) this.#bySerial.delete(serial);
    this.#slots[this.#slots.indexOf(slot)] = undefined;
    this.#busy--;
  }

  #onGone(reason: string): void {
    this.#state = "gone";
    const interrupted: ActiveRun[] = [];
    const blame = this.#blame(reason);
    for (const [index, slot] of this.#slots.entries()) {
      if (slot === undefined) continue;
      slot.run.recall();
      slot.run.failure ??= blame(slot, this.#memory.started(index));
      interrupted.push(slot.run);
    }
    this.#slots.fill(undefined);
    this.#bySerial.clear();
    this.#stopped?.();
    this.#options.events.gone(this, reason, interrupted);
  }

  /** Main ended it because of a timeout, or it died by itself. */
  #blame(reason: string): (slot: Slot, started: Started | undefined) => Failure | undefined {
    const { clock } = this.#options;
    const overFor = (slot: Slot): number => (slot.overdue === undefined ? 0 : clock.monotonic() - slot.overdue.atMs);
    if (this.#slots.some((slot) => slot !== undefined && overFor(slot) >= GRACE_MS)) {
      return (slot) => timeoutOf(slot, overFor(slot));
    }
    return (_slot, started) => crashOf(started, reason, clock.now());
  }
}

/** Only those that did not end within the grace are to blame; the others just shared the thread. */
function timeoutOf(slot: Slot, overForMs: number): Failure | undefined {
  if (slot.overdue === undefined || overForMs < GRACE_MS) return undefined;
  const { timeoutMs: afterMs, route } = slot.overdue;
  const detail = `It did not end within ${GRACE_MS} ms of being aborted.`;
  return { code: "RUN_TIMEOUT", detail, afterMs, ...(route === undefined ? {} : { route }) };
}

/** Of those that had started nobody knows which one it was. */
function crashOf(started: Started | undefined, reason: string, nowMs: number): Failure | undefined {
  if (started === undefined) return undefined;
  return { code: "RUN_CRASHED", detail: reason, afterMs: Math.max(0, nowMs - started.sinceMs) };
}
