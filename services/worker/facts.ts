// What a worker says of itself when it joins a queue.

import type { WorkerFacts } from "../broker/claims.ts";
import { type BrokerContext, serverNowMs } from "../broker/connection.ts";
import { ENVELOPE_VERSION } from "../broker/delivery.ts";
import type { Config } from "../config/config.ts";
import { randomId } from "../runtime/ids.ts";
import type { Pool } from "./pool.ts";
import type { WorkKind } from "./queue-choice.ts";

export interface FactsOptions {
  readonly broker: BrokerContext;
  readonly config: Pick<Config, "queues" | "tags" | "pool" | "workerThreads">;
}

export interface Facts {
  /** The random name of this process. */
  readonly process: string;
  /** The same for all its queues; the first registration asks the server for the time. */
  readonly facts: () => Promise<WorkerFacts>;
}

export function factsOf({ broker, config }: FactsOptions, pools: ReadonlyMap<WorkKind, Pool>): Facts {
  const slots = [...pools.values()].reduce((sum, pool) => sum + pool.slots, 0);
  const shares = Object.fromEntries([...pools].map(([kind, { threads, slots }]) => [kind, { threads, slots }]));
  const { queues, tags, pool } = config;
  const process = randomId();
  const said = { pool, serves: { queues, tags }, shares, envelope: ENVELOPE_VERSION };
  const fixed = { process, threads: config.workerThreads, slots, ...said };
  let asked: Promise<number> | undefined;
  const startedAt = (): Promise<number> => {
    asked ??= serverNowMs(broker).catch((error: unknown) => {
      asked = undefined;
      throw error;
    });
    return asked;
  };
  return { process, facts: async () => ({ ...fixed, startedAtMs: await startedAt() }) };
}
