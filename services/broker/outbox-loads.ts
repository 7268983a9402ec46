// What waits in each outbox to be said in chat. One call for each, all in one round trip, whatever is in them.

import { type BrokerContext, translate } from "./connection.ts";
import { figuresOf, type QueueFigures } from "./figures.ts";
import { queueNames } from "./registered.ts";
import { isOutbox } from "./served.ts";

/** `name` is the unit's. */
export type OutboxLoad = Pick<QueueFigures, "name" | "ready" | "claimed" | "delayed" | "dead" | "oldestMs">;

const PREFIX_CHARS = "outbox/".length;

/** In the order of their units. */
export async function outboxLoads(context: BrokerContext): Promise<OutboxLoad[]> {
  const names = (await queueNames(context)).filter(isOutbox).sort();
  try {
    const found = await Promise.all(names.map((name) => figuresOf(context, name)));
    return found.map(({ name, ready, claimed, delayed, dead, oldestMs }) => {
      return { name: name.slice(PREFIX_CHARS), ready, claimed, delayed, dead, oldestMs };
    });
  } catch (error) {
    throw translate(error);
  }
}
