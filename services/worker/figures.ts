// What the runs of one queue took since Redis was last told: how many finished, how long slots were held, how long threads were
// busy for that. Told with each beat, so that no delivery pays for it.
//
// Not promised: that nothing is told twice. Of a beat whose reply is lost nobody knows whether it was counted.

import type { Ran } from "../broker/claims.ts";
import type { Settled } from "./protocol.ts";

const FAILURE_CHARS_MAX = 300;
const FAILED: ReadonlySet<string> = new Set(["block", "skip", "crash", "dead"] satisfies Answer["kind"][]);
type Answer = Pick<Settled, "kind" | "origin" | "error">;

export class Figures {
  #finished = 0;
  #runMs = 0;
  #heldMs = 0;
  #busyMs = 0;
  #unshared = 0;
  #failed = 0;
  #failure: Ran["failure"];

  /** `route`: its number. */
  answered({ kind, origin: id, error = "" }: Answer, ranMs: number, route: number): void {
    if (kind === "interrupted" || kind === "lost") return;
    this.finished(ranMs);
    if (!FAILED.has(kind)) return;
    this.#failed++;
    this.#failure = { id, route, message: error.slice(0, FAILURE_CHARS_MAX) };
  }

  finished(ranMs: number): void {
    this.#finished++;
    this.#runMs += ranMs;
  }

  held(ms: number): void {
    this.#heldMs += ms;
    this.#unshared += ms;
  }

  /** How long slots were held since busy time was shared last. */
  get unsharedMs(): number {
    return this.#unshared;
  }

  share(busyMs: number): void {
    this.#busyMs += busyMs;
    this.#unshared = 0;
  }

  /** What was not heard is told again. */
  async tell<T>(beat: (ran: Ran) => Promise<T>): Promise<T> {
    const sums = { finished: this.#finished, runMs: this.#runMs, heldMs: this.#heldMs, busyMs: this.#busyMs };
    const ran: Ran = this.#failed === 0 ? sums : { ...sums, failed: this.#failed, failure: this.#failure };
    this.#finished = this.#runMs = this.#heldMs = this.#busyMs = this.#failed = 0;
    this.#failure = undefined;
    try {
      return await beat(ran);
    } catch (error) {
      this.#finished += ran.finished;
      this.#runMs += ran.runMs;
      this.#heldMs += ran.heldMs;
      this.#busyMs += ran.busyMs;
      this.#failed += ran.failed ?? 0;
      this.#failure ??= ran.failure;
      throw error;
    }
  }
}

export interface Counted {
  readonly figures: Figures;
  readonly pool: { takeBusyMs(): number };
  count(atMs: number): void;
}

/** Shares the time that threads were busy over the queues they worked for, by the time that each of those held their slots. */
export function shareBusy(queues: readonly Counted[], atMs: number): void {
  for (const queue of queues) queue.count(atMs);
  for (const [pool, own] of Map.groupBy(queues, (queue) => queue.pool)) {
    const busyMs = pool.takeBusyMs();
    const heldMs = own.reduce((sum, { figures }) => sum + figures.unsharedMs, 0);
    for (const { figures } of own) figures.share(heldMs === 0 ? 0 : (busyMs * figures.unsharedMs) / heldMs);
  }
}
