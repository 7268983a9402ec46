// What a served queue is given: which one it is, whose threads it fills, what it shares with the others of the worker.

import type { ClaimsOptions, WorkerFacts } from "../broker/claims.ts";
import type { ServerClock } from "../broker/server-clock.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Emit } from "../telemetry/events.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import type { Bells } from "./bells.ts";
import type { Pool } from "./pool.ts";
import type { Turns } from "./turns.ts";

export interface ServedQueueOptions {
  readonly queue: string;
  readonly pod: string;
  readonly broker: Omit<ClaimsOptions, "queue" | "wid">;
  readonly pool: Pool;
  /** Whose turn it is among the queues of this pool. */
  readonly turns: Turns;
  readonly weight: number;
  readonly serverClock: ServerClock;
  readonly bells: Bells;
  /** CLIENT ID of the connection whose close means that this worker is dead. */
  readonly clientId: () => Promise<string>;
  readonly facts: () => Promise<WorkerFacts>;
  /** Numbers for `count` deliveries, unique in this process. */
  readonly serials: (count: number) => number;
  readonly emit: Emit;
  readonly tracing?: Tracing | undefined;
  readonly clock: Clock;
  readonly random: Random;
}
