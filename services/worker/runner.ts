// What a handler thread does with what main hands it: runs side by side in slots, the deliveries of a run one after another,
// each answered once, the answers of a tick together.

import type { AbortReason, FromThread, Settled, ThreadClaim, ThreadRun } from "./protocol.ts";
import { endsRun, holdsRun } from "./protocol.ts";
import { runDelivery } from "./run-delivery.ts";
import type { Gate } from "./run-route.ts";
import type { ThreadParts } from "./thread-parts.ts";
import { Underway } from "./underway.ts";
import { stoppedSettled } from "./verdict.ts";

export interface RunnerPort extends Gate {
  post(message: FromThread): void;
}

/**
 * A run in its slot. What is looked up by serial is found by a look at all slots: there are few, lookups are rare, and a map
 * of what changes with every delivery keeps what it held for long (runtime/table.ts).
 */
interface Here {
  readonly run: ThreadRun & { readonly cameAtMs: number };
  /** Which of its deliveries is next, or runs if there is an `underway`. */
  at: number;
  underway: Underway | undefined;
  /** Of deliveries that have not started: why they must not. */
  aborted: (AbortReason | undefined)[] | undefined;
  /** The next one waits for `go`. */
  go: (() => void) | undefined;
}

export class Runner {
  readonly #parts: ThreadParts;
  readonly #port: RunnerPort;
  readonly #slots: (Here | undefined)[] = [];
  #running = 0;
  #answers: Settled[] = [];

  constructor(parts: ThreadParts, port: RunnerPort) {
    this.#parts = parts;
    this.#port = port;
  }

  /** Whether nothing runs here. */
  get isIdle(): boolean {
    return this.#running === 0;
  }

  take(runs: readonly ThreadRun[]): void {
    const cameAtMs = this.#parts.clock.now();
    for (const run of runs) {
      const here: Here = { run: { ...run, cameAtMs }, at: 0, underway: undefined, aborted: undefined, go: undefined };
      this.#slots[run.slot] = here;
      void this.#run(here);
    }
  }

  abort(serials: readonly number[], reason: AbortReason): void {
    for (const serial of serials) {
      const [here, index] = this.#find(serial);
      if (here === undefined || index < here.at) continue;
      if (index === here.at && here.underway !== undefined) here.underway.abort(reason);
      // Time and memory are only those of what has started.
      else if (reason !== "timeout" && reason !== "heap") {
        here.aborted ??= [];
        here.aborted[index] = reason;
        this.go(serial);
      }
    }
  }

  /** What the delivery before this one said and stored is written. */
  go(serial: number): void {
    const [here, index] = this.#find(serial);
    if (here?.go === undefined || index !== here.at) return;
    here.go();
    here.go = undefined;
  }

  #find(serial: number): [Here | undefined, number] {
    for (const here of this.#slots) {
      const index = serial - (here?.run.claims[0]?.serial ?? Number.NaN);
      if (here !== undefined && index >= 0 && index < here.run.claims.length) return [here, index];
    }
    return [undefined, 0];
  }

  async #run(here: Here): Promise<void> {
    const { claims, slot } = here.run;
    for (const claim of claims) {
      const settled = await this.#deliver(here, claim);
      here.at++;
      const isLast = here.at === claims.length || endsRun(settled.kind);
      if (isLast && this.#slots[slot] === here) this.#slots[slot] = undefined;
      this.#answer(settled);
      if (isLast) return;
      if (holdsRun(settled)) await this.#hold(here);
    }
  }

  #hold(here: Here): Promise<void> | undefined {
    if (here.aborted?.[here.at] !== undefined) return undefined;
    return new Promise((resolve) => (here.go = resolve));
  }

  async #deliver(here: Here, claim: ThreadClaim): Promise<Settled> {
    const { run, at } = here;
    const underway = new Underway(this.#parts, run, claim);
    const aborted = here.aborted?.[at];
    if (aborted === "cancel") underway.abort(aborted);
    else if (aborted !== undefined) return stoppedSettled(underway, aborted === "fenced" ? "lost" : "interrupted");
    here.underway = underway;
    this.#running++;
    const failed = at === 0 && run.failed !== undefined ? { failed: run.failed } : {};
    const settled = await runDelivery({ underway, gate: this.#port, ...failed });
    this.#running--;
    here.underway = undefined;
    this.#port.end(run.slot);
    return settled;
  }

  #answer(settled: Settled): void {
    this.#answers.push(settled);
    if (this.#answers.length > 1) return;
    setImmediate(() => {
      const list = this.#answers;
      this.#answers = [];
      this.#port.post({ type: "settled", list });
    });
  }
}
