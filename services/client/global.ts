// As a plain script: `MessageBus` as a global, in the place of MessageBus' own client.

import { Bus } from "./client.ts";

const place = globalThis as { MessageBus?: unknown };
const before = place.MessageBus;

class GlobalBus extends Bus {
  /** Another bus, with settings of its own. */
  readonly Bus = Bus;

  /** Puts back what had the name before. @returns this bus */
  noConflict(): this {
    place.MessageBus = before;
    return this;
  }
}

place.MessageBus = new GlobalBus();
