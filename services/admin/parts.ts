// What the routes of the API work with.

import type { BrokerContext } from "../broker/connection.ts";
import type { Bus } from "../bus/bus.ts";
import type { Queue } from "../queue/queue.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Emit } from "../telemetry/events.ts";

export interface ApiParts {
  readonly queue: Queue;
  readonly context: BrokerContext;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
  /** How long a Lease lasts: a master that was not heard of for so long is gone. */
  readonly leaseMs: number;
}
