// Tells every few seconds how much memory this process has. That Redis is away is told by its connection.

import type { BrokerContext } from "../broker/connection.ts";
import { writeVitals } from "../broker/vitals.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { Loop } from "../runtime/loop.ts";

const TELL_MS = 5_000;

export interface VitalsOptions {
  readonly broker: BrokerContext;
  readonly pod: string;
  readonly isRedisThere: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
}

export function vitals({ broker, pod, isRedisThere, clock, random }: VitalsOptions): Loop {
  const tick = async (): Promise<void> => {
    if (isRedisThere()) await writeVitals(broker, pod, { rssBytes: process.memoryUsage.rss() });
  };
  return new Loop({ name: "vitals", intervalMs: TELL_MS, tick, onError: () => {}, clock, random });
}
