// Finds queues whose work nobody will take: no living worker serves them.

import { type BrokerContext, translate } from "./connection.ts";
import { ordersOf } from "./orders.ts";
import { podOf } from "./pods.ts";
import { queueNames } from "./registered.ts";

export interface UnservedQueue {
  readonly queue: string;
  /** Deliveries that may run now, or that a dead worker had taken. */
  readonly waiting: number;
}

/** Outboxes are served by masters and not looked at. What is only due later is no work yet. */
export async function unservedQueues(context: BrokerContext): Promise<UnservedQueue[]> {
  const names = (await queueNames(context)).filter((name) => !name.startsWith("outbox/"));
  const orders = await ordersOf(context);
  try {
    const [seconds] = await context.client.time();
    const nowMs = Number(seconds) * 1000 + (context.clockOffsetMs?.() ?? 0);
    const looked = names.map(async (queue): Promise<UnservedQueue[]> => {
      const prefix = context.keys.queue(queue);
      const [stored, dead, delayed, due, workers] = await Promise.all([
        context.client.hlen(`${prefix}:j`),
        context.client.zcard(`${prefix}:x`),
        context.client.zcard(`${prefix}:d`),
        context.client.zcount(`${prefix}:d`, "-inf", nowMs),
        context.client.zrange(`${prefix}:wk`, String(nowMs), "+inf", "BYSCORE"),
      ]);
      const waiting = stored - dead - delayed + due;
      const isServed = workers.some((wid) => orders.get(podOf(wid)) === undefined);
      return isServed || waiting <= 0 ? [] : [{ queue, waiting }];
    });
    return (await Promise.all(looked)).flat();
  } catch (error) {
    throw translate(error);
  }
}
