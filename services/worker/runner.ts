// What a handler thread does with what main hands it: runs side by side in slots, the deliveries of a run one after another,
// each answered once, the answers of a tick together.

import type { AbortReason, FromThread, Settled, ThreadClaim, ThreadRun } from "./protocol.ts";
import { endsRun } from "./protocol.ts";
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
      // Time is only over for what has started.
      if (reason !== "timeout" && this.#waiting.has(serial)) this.#waiting.set(serial, reason);
    }
  }

  async #run(run: ThreadRun): Promise<void> {
    for (const [index, claim] of run.claims.entries()) {
      const settled = await this.#deliver(index === 0 ? run : { ...run, failed: undefined }, claim);
      this.#answer(settled);
      if (!endsRun(settled.kind)) continue;
      for (const dropped of run.claims.slice(index + 1)) this.#waiting.delete(dropped.serial);
      return;
    }
  }

  async #deliver(run: Started, claim: ThreadClaim): Promise<Settled> {
    const { failed } = run;
    const underway = new Underway(this.#parts, run, claim);
    const aborted = this.#waiting.get(claim.serial);
    this.#waiting.delete(claim.serial);
    if (aborted !== undefined) return stoppedSettled(underway, aborted === "fenced" ? "lost" : "interrupted");
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

type Started = Omit<ThreadRun, "failed"> & { readonly failed?: ThreadRun["failed"] | undefined };
