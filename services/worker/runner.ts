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

export class Runner {
  readonly #parts: ThreadParts;
  readonly #port: RunnerPort;
  readonly #underway = new Map<number, Underway>();
  /** Deliveries that are here and have not started. */
  readonly #waiting = new Map<number, AbortReason | undefined>();
  /** Of those the ones that wait for `go`. */
  readonly #held = new Map<number, () => void>();
  #answers: Settled[] = [];

  constructor(parts: ThreadParts, port: RunnerPort) {
    this.#parts = parts;
    this.#port = port;
  }

  /** Whether nothing runs here. */
  get isIdle(): boolean {
    return this.#underway.size === 0;
  }

  take(runs: readonly ThreadRun[]): void {
    for (const run of runs) {
      for (const { serial } of run.claims) this.#waiting.set(serial, undefined);
      void this.#run(run);
    }
  }

  abort(serials: readonly number[], reason: AbortReason): void {
    for (const serial of serials) {
      this.#underway.get(serial)?.abort(reason);
      // Time and memory are only those of what has started.
      if (reason === "timeout" || reason === "heap" || !this.#waiting.has(serial)) continue;
      this.#waiting.set(serial, reason);
      this.go(serial);
    }
  }

  /** What the delivery before this one said and stored is written. */
  go(serial: number): void {
    this.#held.get(serial)?.();
    this.#held.delete(serial);
  }

  async #run(run: ThreadRun): Promise<void> {
    const here = { ...run, cameAtMs: this.#parts.clock.now() };
    for (const [index, claim] of run.claims.entries()) {
      const settled = await this.#deliver(index === 0 ? here : { ...here, failed: undefined }, claim);
      this.#answer(settled);
      const rest = run.claims.slice(index + 1);
      if (endsRun(settled.kind)) {
        for (const { serial } of rest) this.#waiting.delete(serial);
        return;
      }
      const [next] = rest;
      if (next !== undefined && holdsRun(settled)) await this.#hold(next.serial);
    }
  }

  #hold(serial: number): Promise<void> | undefined {
    if (this.#waiting.get(serial) !== undefined) return undefined; // aborted already
    return new Promise((resolve) => this.#held.set(serial, resolve));
  }

  async #deliver(run: Started, claim: ThreadClaim): Promise<Settled> {
    const { failed } = run;
    const underway = new Underway(this.#parts, run, claim);
    const aborted = this.#waiting.get(claim.serial);
    this.#waiting.delete(claim.serial);
    if (aborted === "cancel") underway.abort(aborted);
    else if (aborted !== undefined) return stoppedSettled(underway, aborted === "fenced" ? "lost" : "interrupted");
    this.#underway.set(claim.serial, underway);
    const settled = await runDelivery({ underway, gate: this.#port, ...(failed === undefined ? {} : { failed }) });
    this.#underway.delete(claim.serial);
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

type Started = Omit<ThreadRun, "failed"> & {
  readonly failed?: ThreadRun["failed"] | undefined;
  readonly cameAtMs: number;
};
