// The chat routes that an operator has switched off. Which route a Message is for is known here only, after it was taken: so what
// is for such a route goes back as a delivery of its own, which waits in the queue as any other of a paused route does.
//
// Not promised: that it counts at once. A thread asks once in a second at most, and where Redis does not answer none is held.

import type { BrokerContext } from "../broker/connection.ts";
import { pausesOf } from "../broker/pauses.ts";
import { CHAT } from "../broker/served.ts";
import type { Clock } from "../runtime/clock.ts";
import { Recent } from "../runtime/recent.ts";

const LOOK_MS = 1_000;
const NONE: ReadonlySet<number> = new Set();

export class HeldRoutes {
  readonly #recent: Recent<ReadonlySet<number>>;

  constructor(broker: BrokerContext, clock: Clock) {
    const read = async (): Promise<ReadonlySet<number>> => {
      const pauses = await pausesOf(broker, CHAT);
      return new Set(pauses.flatMap((pause) => (pause.kind === "route" ? [pause.route] : [])));
    };
    this.#recent = new Recent({ read, maxAgeMs: LOOK_MS, clock });
  }

  /** Numbers in the registry. */
  now(): Promise<ReadonlySet<number>> {
    return this.#recent.get().catch(() => NONE);
  }
}
