// Reads large structures page by page while others change them: what is there all the time is given at least once.

import type { BrokerContext } from "./connection.ts";

const PAGE = 500;

/** Keys that begin with the namespace's tag. */
export async function* keyPages(context: BrokerContext): AsyncGenerator<string[]> {
  const { client, keys } = context;
  const pattern = `${keys.tag.replace(/[\\*?[\]]/g, "\\$&")}:*`;
  for (const node of "nodes" in client ? client.nodes("master") : [client]) {
    for (let cursor = ""; cursor !== "0";) {
      const [next, page] = await node.scan(cursor === "" ? "0" : cursor, "MATCH", pattern, "COUNT", PAGE);
      cursor = next;
      if (page.length > 0) yield page;
    }
  }
}

/** Fields of a hash with their values, as bytes where the values may be any. */
export async function* hashPages(context: BrokerContext, key: string): AsyncGenerator<[string, Buffer][]> {
  for (let cursor = ""; cursor !== "0";) {
    const [next, flat] = await context.client.hscanBuffer(key, cursor === "" ? "0" : cursor, "COUNT", PAGE);
    cursor = next.toString();
    yield pairsOf(flat).map(([field, value]) => [field.toString(), value]);
  }
}

/** Members of a sorted set with their scores, by ZSCAN: by rank, what moves others would hide some. */
export async function* sortedPages(context: BrokerContext, key: string): AsyncGenerator<[string, string][]> {
  for (let cursor = ""; cursor !== "0";) {
    const [next, flat] = await context.client.zscan(key, cursor === "" ? "0" : cursor, "COUNT", PAGE);
    cursor = next;
    yield pairsOf(flat);
  }
}

export async function* memberPages(context: BrokerContext, key: string): AsyncGenerator<string[]> {
  for (let cursor = ""; cursor !== "0";) {
    const [next, page] = await context.client.sscan(key, cursor === "" ? "0" : cursor, "COUNT", PAGE);
    cursor = next;
    yield page;
  }
}

/** A list from its tail, where nothing is taken: what joins meanwhile makes a page overlap, and hides nothing. */
export async function* listPages(context: BrokerContext, key: string): AsyncGenerator<string[]> {
  for (let end = -1; ; end -= PAGE) {
    const page = await context.client.lrange(key, end - PAGE + 1, end);
    if (page.length > 0) yield page.toReversed();
    if (page.length < PAGE) return;
  }
}

/** Calls for each, some at a time. */
export async function inTurns<T>(items: readonly T[], call: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += 50) await Promise.all(items.slice(at, at + 50).map(call));
}

function pairsOf<T>(flat: readonly T[]): [T, T][] {
  return Array.from({ length: Math.floor(flat.length / 2) }, (_, at) => [flat[2 * at] as T, flat[2 * at + 1] as T]);
}
