// Handing over a connection that may be open twice: who leaves waits until the next leader's one is ready.

import type { BrokerContext } from "../broker/connection.ts";
import type { Clock } from "../runtime/clock.ts";

const LOOK_MS = 25;
/** Nobody else is there to lead. */
const NOBODY_MS = 500;
/** In the hash of the resume state: the last epoch whose connection was ready. */
const FIELD = "ready";

/** Only said, never decided by: an old epoch that says it late does no harm. */
export async function sayReady({ client, keys }: BrokerContext, unit: string, epoch: string): Promise<void> {
  await client.hset(keys.resume(unit), FIELD, epoch);
}

export interface Succession {
  readonly unit: string;
  /** Ours, which has ended. */
  readonly epoch: string;
  readonly deadlineMs: number;
  readonly clock: Clock;
}

/** Whether a later leader's connection is ready; false when nobody leads, or not in time. */
export async function successorReady(broker: BrokerContext, succession: Succession): Promise<boolean> {
  const { client, keys } = broker;
  const { unit, epoch, deadlineMs, clock } = succession;
  const begin = clock.monotonic();
  for (;;) {
    const [ready, present] = await Promise.all([client.hget(keys.resume(unit), FIELD), client.get(keys.epoch(unit))]);
    if (Number(ready ?? 0) > Number(epoch)) return true;
    const waitedMs = clock.monotonic() - begin;
    if (waitedMs >= deadlineMs || (present === epoch && waitedMs >= NOBODY_MS)) return false;
    await clock.sleep(LOOK_MS);
  }
}
