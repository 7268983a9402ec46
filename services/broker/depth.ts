// How much is in a queue, by what it waits for. Reads a bounded amount, in several calls: while work goes on, a figure may be
// off by what moved meanwhile.

import { type BrokerContext, serverNowMs, translate } from "./connection.ts";

export interface QueueDepth {
  readonly name: string;
  /** In line: what may run now, and what stands behind others of its key. */
  readonly ready: number;
  readonly claimed: number;
  /** Due later; of a key that waits for its first delivery, that one. */
  readonly delayed: number;
  /** Waits for other deliveries. */
  readonly held: number;
  /** Set aside because its route or its key is paused. Of a paused queue nothing is: it stays ready. */
  readonly paused: number;
  readonly dead: number;
  /** Bodies stored: everything that is not settled, dead letters included. */
  readonly stored: number;
}

/** Of entries without a due time. Where there are more, the rest counts as the last ones did. */
const LOOKED_AT_MAX = 10_000;
const PAGE = 1000;

export async function queueDepth(context: BrokerContext, name: string): Promise<QueueDepth> {
  const prefix = context.keys.queue(name);
  try {
    const { client } = context;
    const nowMs = await serverNowMs(context);
    const [stored, dead, delayed, endless, workers] = await Promise.all([
      client.hlen(`${prefix}:j`),
      client.zcard(`${prefix}:x`),
      client.zcount(`${prefix}:d`, `(${nowMs}`, "(+inf"),
      client.zcount(`${prefix}:d`, "+inf", "+inf"),
      client.zrange(`${prefix}:wk`, "0", "999"),
    ]);
    const counts = await Promise.all(workers.map((wid) => client.hlen(`${prefix}:c:${wid}`)));
    const claimed = counts.reduce((sum, count) => sum + count, 0);
    const { held, paused } = await heldBack(context, prefix, endless);
    const ready = Math.max(0, stored - delayed - dead - claimed - held - paused);
    return { name, ready, claimed, delayed, held, paused, dead, stored };
  } catch (error) {
    throw translate(error);
  }
}

interface HeldBack {
  readonly held: number;
  readonly paused: number;
}

/** What has no due time waits for others, or for the end of a pause. */
async function heldBack(context: BrokerContext, prefix: string, endless: number): Promise<HeldBack> {
  if (endless === 0) return { held: 0, paused: 0 };
  if ((await context.client.hlen(`${prefix}:pauses`)) === 0) return { held: endless, paused: 0 };
  let [held, paused, seen] = [0, 0, 0];
  while (seen < Math.min(endless, LOOKED_AT_MAX)) {
    const page = await context.client.zrange(`${prefix}:d`, "+inf", "+inf", "BYSCORE", "LIMIT", seen, PAGE);
    if (page.length === 0) break;
    const counted = await countPage(context, prefix, page);
    held += counted.held;
    paused += counted.paused;
    seen += page.length;
  }
  const scale = Math.max(1, endless / Math.max(1, seen));
  return { held: Math.round(held * scale), paused: Math.round(paused * scale) };
}

/** All deliveries of a paused key wait with it. */
async function countPage({ client, keys }: BrokerContext, prefix: string, page: readonly string[]): Promise<HeldBack> {
  const parked = page.filter((entry) => entry.startsWith("K"));
  const ids = page.filter((entry) => !entry.startsWith("K")).map((entry) => entry.split(":")[1] ?? "");
  const [lengths, places] = await Promise.all([
    Promise.all(parked.map((entry) => client.llen(`${prefix}:k:${entry.slice(1)}`))),
    ids.length === 0 ? [] : client.hmget(`${keys.tag}:held`, ...ids),
  ]);
  const held = places.filter((place) => place !== null).length;
  return { held, paused: ids.length - held + lengths.reduce((sum, length) => sum + length, 0) };
}
