// Waits until a bot under test has nothing left to do: nothing ready, claimed, due or in an outbox. Looks, never guesses.

import type { BrokerContext } from "../broker/connection.ts";
import { type Held, type Unfinished, unfinished } from "../broker/inspect.ts";
import { pause, type TestClock } from "./test-clock.ts";

export interface QuietOptions {
  readonly broker: BrokerContext;
  /** Wakes who promotes what is due. */
  readonly nudge: () => void;
  /** Whether the worker with this wid was killed. */
  readonly isDead: (wid: string) => boolean;
  /** What the test has begun itself, and comes into the broker at any moment. */
  readonly underway: () => readonly Promise<unknown>[];
  readonly clock: TestClock;
  /** What runs now, for the message of a failure. */
  readonly running: () => readonly string[];
}

export interface QuietWait {
  readonly withinMs: number;
  /** Numbers of deliveries that are not waited for. */
  readonly except?: ReadonlySet<string>;
}

const LOOK_MS = 5;
/** Less than the beats of the living may be late, so that time goes by for the dead alone. */
const AGE_MS = 2000;
const AGE_LOOKS_MAX = 400;

export class Quiet {
  readonly #options: QuietOptions;

  constructor(options: QuietOptions) {
    this.#options = options;
  }

  look(): Promise<Unfinished> {
    return unfinished(this.#options.broker);
  }

  /** Gives what it saw in the end. Throws when that takes longer. */
  async wait({ withinMs, except = new Set() }: QuietWait): Promise<Unfinished> {
    const { underway, isDead, nudge, clock } = this.#options;
    const deadline = clock.monotonic() + withinMs;
    for (;;) {
      const begun = underway();
      if (begun.length > 0) await Promise.race([Promise.allSettled(begun), pause(withinMs)]);
      const seen = await this.look();
      const dead = seen.claimed.filter(({ wid }) => isDead(wid));
      const living = seen.claimed.filter(({ wid, id }) => !isDead(wid) && !except.has(id));
      const isIdle = seen.ready === 0 && seen.due === 0 && living.length === 0 && underway().length === 0;
      if (isIdle && dead.length === 0) return seen;
      if (clock.monotonic() > deadline) throw new Error(this.#complaint(seen, withinMs));
      if (isIdle) await this.#age();
      else if (seen.due > 0) nudge();
      await pause(LOOK_MS);
    }
  }

  /** What the dead hold comes back by time: so time goes by, in steps at which the living beat. */
  async #age(): Promise<void> {
    const { clock, nudge, isDead } = this.#options;
    clock.leap(AGE_MS);
    for (let looks = 0; looks < AGE_LOOKS_MAX; looks++) {
      const { workers, nowMs } = await this.look();
      // Claims last longer than two steps: whoever has more than that left has beaten since this one.
      const late = workers.filter(({ wid, untilMs }) => !isDead(wid) && untilMs - nowMs < 2 * AGE_MS);
      if (late.length === 0) return;
      nudge();
      await pause(LOOK_MS);
    }
  }

  #complaint({ ready, due, claimed }: Unfinished, withinMs: number): string {
    const { running } = this.#options;
    const runs = running();
    const parts = [
      ...(runs.length > 0 ? [`running: ${runs.join(", ")}`] : []),
      ...(claimed.length > 0 ? [`claimed: ${counts(claimed)}`] : []),
      ...(ready > 0 ? [`ready: ${ready}`] : []),
      ...(due > 0 ? [`due: ${due}`] : []),
    ];
    return `The bot has not settled within ${withinMs} ms. ${parts.join("; ") || "What the test began is not over."}`;
  }
}

function counts(claimed: readonly Held[]): string {
  const queues = new Map<string, number>();
  for (const { queue } of claimed) queues.set(queue, (queues.get(queue) ?? 0) + 1);
  return [...queues].map(([queue, count]) => `${count} of ${queue}`).join(", ");
}
