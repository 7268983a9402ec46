// What an operator orders a worker to do. It learns of it with its next beat, within a second.

import type { Order } from "./claims.ts";
import { type BrokerContext, translate } from "./connection.ts";

const KEPT_SECONDS = 3600;

/** `quiet`: the pod takes nothing more until null. `stop`: it stops as on SIGTERM. An order outlives its pod for an hour. */
export async function orderWorker(
  context: BrokerContext,
  pod: string,
  order: Exclude<Order, ""> | null,
): Promise<void> {
  try {
    if (order === null) await context.client.hdel(context.keys.orders(), pod);
    else
      await context.client
        .multi()
        .hset(context.keys.orders(), pod, order)
        .expire(context.keys.orders(), KEPT_SECONDS)
        .exec();
  } catch (error) {
    throw translate(error);
  }
}

/** Orders that are obeyed stay. */
export async function keepOrders(context: BrokerContext): Promise<void> {
  try {
    await context.client.expire(context.keys.orders(), KEPT_SECONDS);
  } catch (error) {
    throw translate(error);
  }
}

/** Pod -> order. */
export async function ordersOf(context: BrokerContext): Promise<ReadonlyMap<string, Order>> {
  try {
    return new Map(Object.entries(await context.client.hgetall(context.keys.orders()))) as Map<string, Order>;
  } catch (error) {
    throw translate(error);
  }
}
