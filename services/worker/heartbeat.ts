// Renews this worker's claims: one beat a second in every queue it serves, all in one go, on the main thread.

import type { Clock, Random } from "../runtime/clock.ts";
import { Loop } from "../runtime/loop.ts";
import type { Emit } from "../telemetry/events.ts";
import { shareBusy } from "./figures.ts";
import type { Orders } from "./orders.ts";
import type { Pulse } from "./pulse.ts";
import type { ServedQueue } from "./served-queue.ts";

const BEAT_MS = 1000;

export interface HeartbeatOptions {
  readonly queues: readonly ServedQueue[];
  readonly pulse: Pulse;
  readonly orders: Orders;
  /** Beats that cannot arrive are not sent; the connection tells of its state itself. */
  readonly isRedisThere: () => boolean;
  readonly emit: Emit;
  readonly clock: Clock;
  readonly random: Random;
}

/** The pause never grows after failures: a claim lasts five beats. */
export function heartbeat(options: HeartbeatOptions): Loop {
  const { queues, orders, pulse, isRedisThere, emit, clock, random } = options;
  const onError = (error: unknown): void => emit("loop.failed", { loop: "heartbeat", error });
  return new Loop({
    name: "heartbeat",
    intervalMs: BEAT_MS,
    tick: async () => {
      if (!isRedisThere()) return;
      shareBusy(queues, clock.monotonic());
      const beats = await Promise.allSettled(queues.map((queue) => queue.beat()));
      orders.heard(queues.map(({ order }) => order));
      const failure = beats.find((beat) => beat.status === "rejected");
      if (failure === undefined) pulse.beat(clock.now());
      else onError(failure.reason);
    },
    onError,
    clock,
    random,
  });
}
