// The way into the Redis of a bot under test, for tests of the kit itself. It is no part of what authors see.

import type { BrokerContext } from "../broker/connection.ts";

const brokers = new WeakMap<object, BrokerContext>();

export function setBroker(bot: object, broker: BrokerContext): void {
  brokers.set(bot, broker);
}

export function brokerOf(bot: object): BrokerContext {
  const broker = brokers.get(bot);
  if (broker === undefined) throw new TypeError("that is no bot");
  return broker;
}
