// What an operator, or the scaler, orders a worker to do. It learns of it with its next beat, within a second.

import { loadScript, type Reply, utf8 } from "../redis/scripts.ts";
import type { Order } from "./claims.ts";
import { type BrokerContext, callBroker, serverNowMs, translate } from "./connection.ts";

const QUIET = loadScript(new URL("./lua/quiet.lua", import.meta.url));
const KEPT_SECONDS = 3600;
/** An order that ends by itself: `quiet <ms since 1970>`. */
const PASSING = /^(\w+) (\d+)$/;

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
  const told = await read(context);
  const isPassing = told.some(([, order]) => PASSING.test(order));
  const nowMs = isPassing ? await serverNowMs(context) : 0;
  return new Map(
    told.flatMap(([pod, text]): [string, Order][] => {
      const [, order = text, till] = PASSING.exec(text) ?? [];
      return till !== undefined && Number(till) <= nowMs ? [] : [[pod, order as Order]];
    }),
  );
}

export interface Quieting {
  /** Of `control`: a former leader is refused. */
  readonly epoch: string;
  readonly pods: readonly string[];
  /** Then they go on by themselves. 0 ends it now. */
  readonly ms: number;
}

/**
 * Quiets pods for a while, because they are to be removed. One that an operator gave an order stays as it is.
 * Answers those that are quiet by this. Throws FENCED.
 */
export async function quietPods(context: BrokerContext, { epoch, pods, ms }: Quieting): Promise<string[]> {
  if (pods.length === 0) return [];
  const { keys } = context;
  const args = [epoch, ms, KEPT_SECONDS, ...pods];
  const reply = await callBroker(context, { script: QUIET, keys: [keys.orders(), keys.epoch("control")], args });
  return (reply as Reply[]).map(utf8);
}

/** The pods that `quietPods` quieted, also those whose time is over. */
export async function quietedPods(context: BrokerContext): Promise<string[]> {
  return (await read(context)).filter(([, order]) => PASSING.test(order)).map(([pod]) => pod);
}

async function read({ client, keys }: BrokerContext): Promise<[string, string][]> {
  try {
    return Object.entries(await client.hgetall(keys.orders()));
  } catch (error) {
    throw translate(error);
  }
}
