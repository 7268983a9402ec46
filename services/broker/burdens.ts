// How much each worker has in hand, over all queues that it serves.

import { type BrokerContext, translate } from "./connection.ts";
import { queueNames, registeredWorkers } from "./registered.ts";

/** Pod -> deliveries that it has taken and not finished. A pod that is not among them is registered nowhere. */
export async function burdens(context: BrokerContext): Promise<ReadonlyMap<string, number>> {
  const queues = (await queueNames(context)).filter((name) => !name.startsWith("outbox/"));
  const workers = await registeredWorkers(context, queues);
  const { client, keys } = context;
  try {
    const held = await Promise.all(workers.map(({ queue, wid }) => client.hlen(`${keys.queue(queue)}:c:${wid}`)));
    const sums = new Map<string, number>();
    for (const [index, { pod }] of workers.entries()) sums.set(pod, (sums.get(pod) ?? 0) + (held[index] ?? 0));
    return sums;
  } catch (error) {
    throw translate(error);
  }
}
