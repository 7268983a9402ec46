// Runs a delivery that crashed twice alone in a child process with a memory limit, so that its next death takes nobody with it.
// A child that survived its delivery takes the next one that waits: most suspects are innocent, and a boot costs more than a run.

import type { ThreadVitals } from "../broker/vitals.ts";
import { backoffMs } from "../runtime/backoff.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Emit } from "../telemetry/events.ts";
import type { ActiveRun } from "./active-run.ts";
import { Lane, type LaneEvents } from "./lane.ts";
import type { AbortReason, ThreadData } from "./protocol.ts";
import { SlotMemory } from "./slots.ts";
import type { Spawn } from "./threads.ts";

/** Children at once: each is a process of its own. */
const CHILDREN_MAX = 2;
/** Runs that have a child or wait for one here. All of them are blamed a little when this process dies. */
const RUNS_MAX = 4;
const BOOT_MS = 30_000;
const TEARDOWN_MS = 5000;
/** A child that died this often before its delivery began is not to blame on the handlers' setup any more. */
const BOOTS_MAX = 5;
const BOOT_BACKOFF = { firstMs: 500, maxMs: 10_000 };

interface Case {
  readonly run: ActiveRun;
  readonly back: (run: ActiveRun) => void;
  boots: number;
  lane?: Lane;
}

export interface QuarantineOptions {
  readonly data: Omit<ThreadData, "slotMemory" | "slots" | "kind" | "index">;
  readonly spawn: Spawn;
  readonly emit: Emit;
  readonly clock: Clock;
  readonly random: Random;
}

export class Quarantine {
  readonly #options: QuarantineOptions;
  readonly #waiting: Case[] = [];
  readonly #running = new Set<Case>();
  readonly #stop = new AbortController();

  constructor(options: QuarantineOptions) {
    this.#options = options;
  }

  get isFull(): boolean {
    return this.#running.size + this.#waiting.length >= RUNS_MAX;
  }

  /** Runs the head of this run; `back` hears when it is answered, or has its failure when the child died. */
  add(run: ActiveRun, back: (run: ActiveRun) => void): void {
    this.#waiting.push({ run, back, boots: 0 });
    this.#next();
  }

  /** For people. */
  vitals(aheadMs: number): ThreadVitals[] {
    return [...this.#running].flatMap(({ lane }) => lane?.vitals(aheadMs) ?? []);
  }

  sweep(): void {
    for (const { lane } of this.#running) lane?.sweep();
  }

  abort(runs: readonly ActiveRun[], reason: AbortReason): void {
    for (const { run, lane } of this.#running) if (runs.includes(run)) lane?.abort([run], reason);
    for (const patient of this.#waiting.filter(({ run }) => run.isOrphaned)) {
      this.#waiting.splice(this.#waiting.indexOf(patient), 1);
      patient.back(patient.run);
    }
  }

  /** A delivery was cancelled: one that waits for a child needs none any more. */
  cancel(run: ActiveRun): void {
    for (const { run: sick, lane } of this.#running) if (sick === run) lane?.cancel(run);
    const waiting = this.#waiting.findIndex((patient) => patient.run === run && run.isHeadCancelled);
    if (waiting < 0) return;
    run.recall();
    for (const patient of this.#waiting.splice(waiting, 1)) patient.back(patient.run);
  }

  /** A drain begins: what waits for a child goes back; what has one runs on. */
  close(): void {
    this.#stop.abort();
    for (const { run, back } of this.#waiting.splice(0)) back(run);
  }

  async stop(): Promise<void> {
    this.close();
    for (const { lane } of this.#running) lane?.end("stop");
  }

  #next(): void {
    while (this.#running.size < CHILDREN_MAX) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#begin(next);
      this.#boot(next);
    }
  }

  #begin(patient: Case): void {
    this.#running.add(patient);
    this.#options.emit("quarantine.started", { id: patient.run.head?.id ?? "" });
  }

  #boot(patient: Case): void {
    const { data, spawn, clock } = this.#options;
    const slotMemory = SlotMemory.allocate(1);
    patient.boots++;
    const lane = new Lane({
      data: { ...data, kind: "quarantine", index: 0, slots: 1, slotMemory },
      spawn,
      clock,
      events: this.#events,
    });
    patient.lane = lane;
    void clock.sleep(BOOT_MS, this.#stop.signal).then(() => {
      if (lane.isStarting) lane.end("it did not get ready in time");
    });
  }

  readonly #events: LaneEvents = {
    ready: (lane) => {
      const patient = this.#in(lane);
      if (patient === undefined) return;
      if (patient.run.isOrphaned || this.#stop.signal.aborted) this.#finish(patient, "interrupted");
      else lane.assign(patient.run);
    },
    unfit: (lane, code, message) => lane.end(`${code}: ${message}`),
    left: (run) => {
      const patient = [...this.#running].find((one) => one.run === run);
      if (patient !== undefined) this.#answered(patient);
    },
    gone: (lane, reason, interrupted) => {
      const patient = this.#in(lane);
      if (patient !== undefined) this.#onGone(patient, reason, interrupted.length > 0);
    },
  };

  #in(lane: Lane): Case | undefined {
    return [...this.#running].find((patient) => patient.lane === lane);
  }

  #answered(patient: Case): void {
    const { lane } = patient;
    const next = this.#stop.signal.aborted || lane === undefined ? undefined : this.#waiting.shift();
    if (next === undefined || lane === undefined) return this.#finish(patient, "answered");
    delete patient.lane;
    this.#begin(next);
    next.lane = lane;
    lane.assign(next.run);
    this.#finish(patient, "answered");
  }

  #onGone(patient: Case, reason: string, wasSent: boolean): void {
    const { run } = patient;
    if (!wasSent && !run.isOrphaned && !this.#stop.signal.aborted && patient.boots < BOOTS_MAX) {
      void this.#bootAgain(patient);
      return;
    }
    run.failure ??= { code: "RUN_CRASHED", detail: reason, afterMs: 0 };
    this.#finish(patient, reason);
  }

  async #bootAgain(patient: Case): Promise<void> {
    const { clock, random } = this.#options;
    await clock.sleep(backoffMs(patient.boots, BOOT_BACKOFF, random), this.#stop.signal);
    if (this.#stop.signal.aborted || patient.run.isOrphaned) this.#finish(patient, "interrupted");
    else this.#boot(patient);
  }

  #finish(patient: Case, outcome: string): void {
    if (!this.#running.delete(patient)) return;
    this.#options.emit("quarantine.ended", { id: patient.run.head?.id ?? "", outcome });
    void patient.lane?.stop(TEARDOWN_MS);
    patient.back(patient.run);
    this.#next();
  }
}
