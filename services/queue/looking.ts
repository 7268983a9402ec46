// Looking for deliveries: the filters as people write them, over all queues of deliveries or those named.

import type { BrokerContext } from "../broker/connection.ts";
import { queueNames } from "../broker/registered.ts";
import { type FoundDelivery, searchDeliveries, type SearchQuery } from "../broker/search.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { type Duration, durationMs } from "../sdk/duration.ts";
import { type ListedOne, listedOf, type State } from "./listed.ts";

export interface Filter {
  /** Default: all but the outboxes. */
  readonly queue?: string;
  /** Id of a route, or name of a handler for all of its routes. */
  readonly route?: string;
  /** Ordering key. */
  readonly key?: string;
  /** One of its tags, or the tag of its queue. */
  readonly tag?: string;
  /** In its body, of which the first 64 KiB are looked at. */
  readonly text?: string;
  /** Claimed: it runs for longer; dead: it is dead for longer; else it was enqueued longer ago. */
  readonly olderThan?: Duration;
}

export interface Search extends Filter {
  /** Default: all. */
  readonly states?: readonly State[];
  /** Most answers; default 100. */
  readonly limit?: number;
  /** What the call before gave. */
  readonly cursor?: string;
}

export interface Page {
  readonly found: readonly ListedOne[];
  /** Undefined at the end. */
  readonly cursor: string | undefined;
}

/** In the order of their names. Outboxes hold Actions, which are nobody's work. */
export async function workQueues(context: BrokerContext): Promise<string[]> {
  return (await queueNames(context)).filter((name) => !name.startsWith("outbox/")).sort();
}

/** A bounded amount of work: a page may hold less than `limit`, and nothing, although there is more. */
export async function search(context: BrokerContext, wanted: Search): Promise<Page> {
  const { found, cursor } = await searchDeliveries(context, await queryOf(context, wanted));
  return { found: found.map(listedOf), cursor };
}

/** All that fit, at most `limit`: as many calls as it takes. */
export async function gather(context: BrokerContext, wanted: Search & { limit: number }): Promise<FoundDelivery[]> {
  const gathered: FoundDelivery[] = [];
  let query: SearchQuery | undefined = await queryOf(context, wanted);
  while (query !== undefined) {
    const { found, cursor }: Awaited<ReturnType<typeof searchDeliveries>> = await searchDeliveries(context, query);
    gathered.push(...found);
    const left: number = wanted.limit - gathered.length;
    query = cursor === undefined || left <= 0 ? undefined : { ...query, cursor, limit: Math.min(left, LIMIT_MAX) };
  }
  return gathered;
}

const LIMIT = 100;
const LIMIT_MAX = 1000;

async function queryOf(context: BrokerContext, wanted: Search): Promise<SearchQuery> {
  const { queue, olderThan, limit = LIMIT, states, route, key, tag, text, cursor } = wanted;
  const olderThanMs = olderThan === undefined ? undefined : durationMs(olderThan);
  if (olderThan !== undefined && olderThanMs === undefined)
    throw new AntiphonError("OPTIONS_INVALID", `olderThan: "${olderThan}" is no duration such as "5m".`);
  return {
    queues: queue === undefined ? await workQueues(context) : [queue],
    limit: Math.min(limit, LIMIT_MAX),
    ...(states !== undefined && { states }),
    ...(route !== undefined && { route }),
    ...(key !== undefined && { key }),
    ...(tag !== undefined && { tag }),
    ...(text !== undefined && { text }),
    ...(cursor !== undefined && { cursor }),
    ...(olderThanMs !== undefined && { olderThanMs }),
  };
}
