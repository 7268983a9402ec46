// How a worker stops taking part without losing or failing anything: in an order that matters, each step bounded.

import type { Clock } from "../runtime/clock.ts";
import { withDeadline } from "../runtime/part.ts";
import type { Emit } from "../telemetry/events.ts";
import { GRACE_MS } from "./offence.ts";
import type { Pool } from "./pool.ts";
import type { ServedQueue } from "./served-queue.ts";

/** For writing the last outcomes. */
const WRITE_MS = 2000;

export interface DrainOptions {
  readonly queues: readonly ServedQueue[];
  readonly pools: readonly Pool[];
  readonly drainMs: number;
  readonly emit: Emit;
  readonly clock: Clock;
}

/** Afterwards nothing is held that could be handed back. What still runs then is a zombie whose outcome Redis refuses. */
export async function drain({ queues, pools, drainMs, emit, clock }: DrainOptions): Promise<void> {
  const startedAt = clock.monotonic();
  const before = queues.reduce((sum, queue) => sum + queue.returned, 0);
  const within = (work: Promise<unknown>, ms: number): Promise<unknown> =>
    withDeadline(work, ms, "drain").catch(() => {});
  // 1. Nothing new, and what has not started goes back at once.
  const quiet = queues.map((queue) => queue.quiet());
  for (const pool of pools) pool.close();
  await within(Promise.all(quiet), WRITE_MS);
  // 2. What runs may run on for the drain time.
  await within(Promise.all(pools.map((pool) => pool.whenIdle())), drainMs);
  // 3. Then it is aborted; its outcome counts if it comes within the grace.
  for (const pool of pools) pool.abort(pool.holding, "drain");
  await within(Promise.all(pools.map((pool) => pool.whenIdle())), GRACE_MS);
  // 4. The rest goes back: interrupted, not failed.
  for (const pool of pools) pool.handBackAll();
  await within(Promise.all(queues.map((queue) => queue.settled())), WRITE_MS);
  const returned = queues.reduce((sum, queue) => sum + queue.returned, -before);
  emit("worker.drained", { returned, ms: Math.round(clock.monotonic() - startedAt) });
}
