// The lists of ordering keys, as a search reads them: from the tail, without what a worker has claimed at the head.

import type { BrokerContext } from "./connection.ts";

/** A key whose list is still to be read: how far from the tail; whether a worker may hold its head. */
export type PendingKey = readonly [key: string, offset: number, held: 0 | 1];

export interface KeyElement {
  readonly key: string;
  readonly element: string;
}

/** Deliveries of one step. */
export const PAGE = 200;
export const KEYS_PAGE = 50;
/** No queue has more. */
const WORKERS_MAX = 1000;
/** No claimed run is longer. */
const RUN_MAX = 16;

interface ReadKeys {
  readonly elements: readonly KeyElement[];
  /** What is still to be read. */
  readonly keys: readonly PendingKey[];
}

/** The first of the keys, page by page; short ones behind it are read with it, all at once. */
export async function readKeys(context: BrokerContext, prefix: string, keys: readonly PendingKey[]): Promise<ReadKeys> {
  const page = keys.slice(0, KEYS_PAGE);
  const lengths = await Promise.all(page.map(([key]) => context.client.llen(`${prefix}:k:${key}`)));
  const left = page.map(([, offset], index) => Math.max(0, (lengths[index] ?? 0) - offset));
  let [count, sum] = [1, left[0] ?? 0];
  while (count < page.length && sum + (left[count] ?? 0) <= PAGE) sum += left[count++] ?? 0;
  const read = page.slice(0, count).map(async ([key, offset, held], index): Promise<KeyElement[]> => {
    const size = left[index] ?? 0;
    const elements = size === 0 ? [] : await fromTail(context, `${prefix}:k:${key}`, { offset, count: PAGE });
    const claimed = held === 1 && size <= PAGE + RUN_MAX ? await claimedOf(context, prefix, elements) : NONE;
    return elements.flatMap((element) => (claimed.has(element) ? [] : [{ key, element }]));
  });
  const elements = (await Promise.all(read)).flat();
  const [first] = page;
  if (first === undefined || (left[0] ?? 0) <= PAGE) return { elements, keys: keys.slice(count) };
  const [key, offset, held] = first;
  return { elements, keys: [[key, offset + PAGE, held], ...keys.slice(1)] };
}

const NONE: ReadonlySet<string> = new Set();

/** Those at the head that a worker holds. */
async function claimedOf(
  context: BrokerContext,
  prefix: string,
  elements: readonly string[],
): Promise<ReadonlySet<string>> {
  const heads = elements.slice(-2 * RUN_MAX);
  if (heads.length === 0) return NONE;
  const ids = heads.map((element) => element.split(":")[1] ?? "");
  const wids = await widsOf(context, prefix);
  const claims = await Promise.all(wids.map((wid) => context.client.hmget(`${prefix}:c:${wid}`, ...ids)));
  return new Set(heads.filter((_, index) => claims.some((held) => typeof held[index] === "string")));
}

/** Sorted, because their order in Redis changes with each beat. */
export async function widsOf(context: BrokerContext, prefix: string): Promise<string[]> {
  return (await context.client.zrange(`${prefix}:wk`, "0", String(WORKERS_MAX - 1))).sort();
}

/** A page of a list, the newest first. */
export async function fromTail(
  context: BrokerContext,
  list: string,
  { offset, count }: { offset: number; count: number },
): Promise<string[]> {
  return (await context.client.lrange(list, -offset - count, -offset - 1)).toReversed();
}
