// Limits of rate and concurrency, over all workers: what they are, and where take reads them.
//
// A rate is a GCRA: turns come evenly, `burst` of them may come early. What is over a limit waits in the queue's delayed
// set and holds no slot: a key as it is, an unkeyed delivery with its turn reserved.

import { type BrokerContext, translate } from "./connection.ts";

export interface Rate {
  /** So many per `perMs`. */
  readonly limit: number;
  readonly perMs: number;
  /** So many may start at once after a pause; 1 = evenly spread. Default 1. */
  readonly burst?: number;
}

export interface RouteLimits {
  /** `key`: each ordering key has a rate of its own. */
  readonly rate?: Rate & { readonly by: "route" | "key" };
  /** Most deliveries of the route that run at once. */
  readonly concurrency?: number;
}

export interface QueueRates {
  readonly rate?: Rate;
  readonly concurrency?: number;
}

/** Routes by number; null takes the limits of a route away. */
export async function setRouteLimits(
  context: BrokerContext,
  limits: ReadonlyMap<number, RouteLimits | null>,
): Promise<void> {
  await write(context, new Map([...limits].map(([route, limit]) => [`r${route}`, limit])));
}

/** Null takes the queue's limits away. */
export async function setQueueLimits(context: BrokerContext, queue: string, limits: QueueRates | null): Promise<void> {
  await write(context, new Map([[`q${queue}`, limits]]));
}

export async function queueLimitsOf(context: BrokerContext, queue: string): Promise<QueueRates> {
  try {
    const stored = await context.client.hget(context.keys.limits(), `q${queue}`);
    if (stored === null) return {};
    const [limit = 0, perMs = 0, burst = 1, , concurrency = 0] = stored.split(" ").map(Number);
    return { ...(limit > 0 && { rate: { limit, perMs, burst } }), ...(concurrency > 0 && { concurrency }) };
  } catch (error) {
    throw translate(error);
  }
}

async function write(
  context: BrokerContext,
  limits: ReadonlyMap<string, RouteLimits | QueueRates | null>,
): Promise<void> {
  const name = context.keys.limits();
  try {
    const multi = context.client.multi();
    for (const [field, limit] of limits) {
      const text = limit === null ? undefined : limitText(limit);
      if (text === undefined) multi.hdel(name, field);
      else multi.hset(name, field, text);
      // What runs now was not counted, or is counted no more.
      if (!limit?.concurrency) multi.del(`${context.keys.tag}:l:${field}`);
    }
    for (const [error] of (await multi.exec()) ?? []) if (error) throw error;
  } catch (error) {
    throw translate(error);
  }
}

/** As lib/limits.lua reads it; undefined when nothing is limited. */
function limitText({ rate, concurrency = 0 }: RouteLimits | QueueRates): string | undefined {
  if (rate === undefined && concurrency === 0) return undefined;
  const by = rate !== undefined && "by" in rate ? rate.by : "route";
  return [rate?.limit ?? 0, rate?.perMs ?? 0, rate?.burst ?? 1, by, concurrency].join(" ");
}
