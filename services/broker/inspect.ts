// Looks into a queue without changing it; every call reads a bounded amount.

import { type BrokerContext, translate } from "./connection.ts";

export interface QueueDepth {
  readonly name: string;
  /** May run now. */
  readonly ready: number;
  readonly claimed: number;
  /** Due later: delayed deliveries and keys that wait. */
  readonly delayed: number;
  readonly dead: number;
  /** Bodies stored: everything that is not settled, dead letters included. */
  readonly stored: number;
}

export async function queueDepth(context: BrokerContext, name: string): Promise<QueueDepth> {
  const prefix = context.keys.queue(name);
  try {
    const pipeline = context.client.pipeline();
    pipeline.hlen(`${prefix}:j`).zcard(`${prefix}:d`).zcard(`${prefix}:x`).zrange(`${prefix}:wk`, "0", "999");
    const [stored, delayed, dead, workers] = ((await pipeline.exec()) ?? []).map(([error, value]) => {
      if (error) throw error;
      return value;
    }) as [number, number, number, string[]];
    const held = context.client.pipeline();
    for (const wid of workers) held.hlen(`${prefix}:c:${wid}`);
    const claimed = ((await held.exec()) ?? []).reduce((sum, [, count]) => sum + Number(count ?? 0), 0);
    return { name, ready: Math.max(0, stored - delayed - dead - claimed), claimed, delayed, dead, stored };
  } catch (error) {
    throw translate(error);
  }
}

export interface DeadLetter {
  readonly number: string;
  readonly elementText: string;
  readonly key: string;
  readonly reason: string;
  readonly at: number;
}

/** The newest dead letters. */
export async function deadLetters(context: BrokerContext, queue: string, limit: number): Promise<DeadLetter[]> {
  const prefix = context.keys.queue(queue);
  try {
    const pairs = await context.client.zrevrange(`${prefix}:x`, 0, limit - 1, "WITHSCORES");
    const letters: Omit<DeadLetter, "reason">[] = [];
    for (let index = 0; index + 1 < pairs.length; index += 2) {
      const [elementText = "", key = ""] = (pairs[index] as string).split(/\0(.*)/s);
      letters.push({ elementText, key, number: elementText.split(":")[1] ?? "", at: Number(pairs[index + 1]) });
    }
    if (letters.length === 0) return [];
    const reasons = await context.client.hmget(`${prefix}:xe`, ...letters.map((letter) => letter.number));
    return letters.map((letter, index) => ({ ...letter, reason: reasons[index] ?? "" }));
  } catch (error) {
    throw translate(error);
  }
}
