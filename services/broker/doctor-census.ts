// Which structures of a namespace there are, by the names of their keys.

import type { BrokerContext } from "./connection.ts";
import { keyPages } from "./doctor-pages.ts";

export interface QueueCensus {
  /** Ordering keys that have a list. */
  readonly keys: Set<string>;
  /** Of whom there are claims. */
  readonly wids: Set<string>;
  /** Bodies kept apart. */
  readonly tokens: Set<string>;
  /** Of which effects are remembered. */
  readonly origins: Set<string>;
  /** Keys that must expire, with the ms that they may get. */
  readonly expiring: Map<string, number>;
  /** It has deliveries, so it must be known as a queue. */
  holds: boolean;
}

export interface Census {
  readonly queues: Map<string, QueueCensus>;
  /** Ids (decimal) of which it is written what they wait for. */
  readonly waiting: Set<string>;
  /** Limits under which something runs. */
  readonly running: Set<string>;
}

const HOLDS = /^(?:j|x|d|[wr][0-3]|k:.*)$/s;
/** What never expires but should gets so long from now. */
const DEDUPE_MS = 86_400_000;
const BATCHES_MS = 3_600_000;

export async function takeCensus(context: BrokerContext): Promise<Census> {
  const census: Census = { queues: new Map(), waiting: new Set(), running: new Set() };
  const start = context.keys.tag.length + 1;
  for await (const page of keyPages(context)) {
    for (const key of page) {
      const name = key.slice(start);
      if (name.startsWith("a:")) census.waiting.add(name.slice(2));
      else if (name.startsWith("l:")) census.running.add(name.slice(2));
      else if (name.startsWith("q:")) countOf(census, key, name.slice(2));
    }
  }
  return census;
}

function countOf(census: Census, key: string, name: string): void {
  const cut = name.indexOf(":");
  if (cut < 0) return;
  const queue = queueOf(census, name.slice(0, cut));
  const suffix = name.slice(cut + 1);
  const of = suffix.slice(suffix.indexOf(":") + 1);
  if (HOLDS.test(suffix)) queue.holds = true;
  if (suffix.startsWith("k:")) queue.keys.add(of);
  else if (suffix.startsWith("c:")) queue.wids.add(of);
  else if (suffix.startsWith("b:")) queue.tokens.add(of);
  else if (suffix.startsWith("e:")) queue.origins.add(of);
  else if (suffix.startsWith("u:")) queue.expiring.set(key, DEDUPE_MS);
  else if (suffix.startsWith("pr:")) queue.expiring.set(key, BATCHES_MS);
}

export function queueOf(census: Census, name: string): QueueCensus {
  let queue = census.queues.get(name);
  if (queue === undefined) {
    queue = {
      keys: new Set(),
      wids: new Set(),
      tokens: new Set(),
      origins: new Set(),
      expiring: new Map(),
      holds: false,
    };
    census.queues.set(name, queue);
  }
  return queue;
}
