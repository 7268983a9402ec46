// Which version of the envelope a producer writes: the newest that it knows and that every registered worker reads, so that in the
// middle of a rollout nothing waits for the pods of the newer release. Nothing is lost without it: a worker puts back what it cannot
// read (worker/put-back.ts).
//
// There is one version so far, and producers write it as it is. Who adds another one asks here first.

import { Recent } from "../runtime/recent.ts";
import type { Clock } from "../runtime/clock.ts";
import type { BrokerContext } from "./connection.ts";
import { ENVELOPE_VERSION } from "./delivery.ts";
import { queueNames, registeredWorkers } from "./reap.ts";

/** The first one, and that of workers that do not say what they read. */
const OLDEST = 1;
const LOOK_MS = 5_000;

export interface EnvelopeVersionOptions {
  readonly context: BrokerContext;
  readonly clock: Clock;
  /** The newest that the producer knows. */
  readonly newest?: number;
}

export class EnvelopeVersion {
  readonly #newest: number;
  readonly #readByAll: Recent<number>;

  constructor({ context, clock, newest = ENVELOPE_VERSION }: EnvelopeVersionOptions) {
    this.#newest = newest;
    this.#readByAll = new Recent({ read: () => readByAll(context), maxAgeMs: LOOK_MS, clock });
  }

  /** What to write now. Where workers cannot be asked, the version that all of them read. */
  async toWrite(): Promise<number> {
    if (this.#newest === OLDEST) return OLDEST;
    const read = await this.#readByAll.get().catch(() => OLDEST);
    return Math.min(this.#newest, read);
  }
}

/** Infinity when nobody is registered: then whoever comes last decides, and that is most likely the newest release. */
async function readByAll(context: BrokerContext): Promise<number> {
  const workers = await registeredWorkers(context, await queueNames(context));
  return Math.min(...workers.map(({ facts }) => facts?.envelope ?? OLDEST));
}
