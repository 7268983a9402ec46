// Keeps the dead letters of each queue within bounds: the oldest beyond them are forgotten, and that is told.

import type { BrokerContext } from "../broker/connection.ts";
import { type DeadRetention, outlivedDead, purgeDead } from "../broker/dead.ts";
import { queueNames } from "../broker/registered.ts";
import type { Tenure } from "../leader/duty.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { Loop } from "../runtime/loop.ts";
import type { Emit } from "../telemetry/events.ts";

export interface RetentionOptions {
  readonly broker: BrokerContext;
  readonly retention: DeadRetention;
  readonly tenure: Tenure;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
}

const LOOK_MS = 60_000;
/** When more is left than one look takes away. */
const AGAIN_MS = 1_000;
const PAGE = 200;
/** Of one queue in one look. */
const PAGES_MAX = 10;

export class Retention {
  readonly #options: RetentionOptions;
  readonly #loop: Loop;
  #isMoreLeft = false;

  constructor(options: RetentionOptions) {
    const { clock, random, emit } = options;
    this.#options = options;
    this.#loop = new Loop({
      name: "retention",
      intervalMs: () => (this.#isMoreLeft ? AGAIN_MS : LOOK_MS),
      tick: (signal) => this.#tick(signal),
      onError: (error) => emit("loop.failed", { loop: "retention", error }),
      clock,
      random,
    });
  }

  start(): Promise<void> {
    return this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #tick(signal: AbortSignal): Promise<void> {
    const { broker, tenure } = this.#options;
    this.#isMoreLeft = false;
    if (!tenure.held()) return;
    for (const queue of await queueNames(broker)) {
      if (signal.aborted || !tenure.held()) return;
      await this.#trim(queue, signal);
    }
  }

  /** What is run again meanwhile is no dead letter any more, and stays. */
  async #trim(queue: string, signal: AbortSignal): Promise<void> {
    const { broker, retention, emit } = this.#options;
    let letters = 0;
    for (let page = 1; !signal.aborted; page++) {
      const outlived = await outlivedDead(broker, queue, { ...retention, limit: PAGE });
      const purged = outlived.length === 0 ? 0 : await purgeDead(broker, queue, outlived);
      letters += purged;
      if (outlived.length < PAGE || purged === 0) break;
      if (page >= PAGES_MAX) {
        this.#isMoreLeft = true;
        break;
      }
    }
    if (letters > 0) emit("dead.trimmed", { queue, letters });
  }
}
