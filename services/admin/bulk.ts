// Many deliveries at once: run again, purged, cancelled or put off, by their ids or by what they have in common. Each call does a
// bounded number and says where the next one goes on; a dry run counts them the same way and changes nothing.

import { type BrokerContext, serverNowMs } from "../broker/connection.ts";
import { type DeadLetter, findDeadLetter, purgeDead, retryDead } from "../broker/dead.ts";
import { keepLetters } from "../broker/dead-undo.ts";
import { queueDepth } from "../broker/depth.ts";
import { queueNames } from "../broker/registered.ts";
import { type FoundDelivery, searchDeliveries, type SearchQuery } from "../broker/search.ts";
import type { Change, Queue } from "../queue/queue.ts";
import { workQueues } from "../queue/looking.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { type Duration, durationMs } from "../sdk/duration.ts";
import type { BulkAnswer, BulkBody } from "./api-bot.ts";

export interface BulkParts {
  readonly context: BrokerContext;
  readonly queue: Queue;
  readonly newId: () => string;
}

/** Searches of one call, each of some 1,000 deliveries; and deliveries that one call changes. */
const LOOKS_MAX = 100;
const LETTERS_MAX = 10_000;
const JOBS_MAX = 1000;
const PAGE = 200;
const AT_ONCE = 25;

type Filter = NonNullable<BulkBody["filter"]>;

/** @throws AntiphonError OPTIONS_INVALID */
export function bulk(parts: BulkParts, body: BulkBody): Promise<BulkAnswer> {
  const { action, ids, filter, delay } = body;
  if ((ids === undefined) === (filter === undefined)) throw refusal("either ids or filter is needed");
  if ((action === "reschedule") !== (delay !== undefined)) throw refusal("delay goes with reschedule");
  if (delay !== undefined && durationMs(delay) === undefined) throw refusal('delay must be a duration such as "10m"');
  const ofDead = action === "retry" || action === "purge";
  if (ofDead && filter?.states !== undefined) throw refusal(`${action} is of dead letters: it takes no states`);
  if (ids !== undefined) return ofDead ? lettersById(parts, body, ids) : jobsById(parts, body, ids);
  return byFilter(parts, body, filter ?? {});
}

async function lettersById(parts: BulkParts, body: BulkBody, ids: readonly string[]): Promise<BulkAnswer> {
  const queues = (await queueNames(parts.context)).sort();
  const found = new Map<string, DeadLetter>();
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const some = ids.slice(at, at + AT_ONCE);
    const letters = await Promise.all(some.map((id) => findDeadLetter(parts.context, queues, id)));
    for (const [index, letter] of letters.entries()) if (letter !== undefined) found.set(some[index] ?? "", letter);
  }
  const unknown = ids.filter((id) => !found.has(id));
  const { count, undo } = await actOnLetters(parts, body, [...found.values()]);
  return { count, unknown, ...(undo !== undefined && { undo }) };
}

async function jobsById({ queue }: BulkParts, body: BulkBody, ids: readonly string[]): Promise<BulkAnswer> {
  const outcomes = await each(ids, async (id) =>
    body.dryRun ? (await queue.find(id)) !== undefined : changeOne(queue, body, id),
  );
  const unknown = ids.filter((_, index) => !outcomes[index]);
  return { count: ids.length - unknown.length, unknown };
}

/** Goes through what fits as searches do. What is taken away meanwhile moves the rest, so some of it is met at the next call only. */
async function byFilter(parts: BulkParts, body: BulkBody, filter: Filter): Promise<BulkAnswer> {
  const { context, queue } = parts;
  const ofDead = body.action === "retry" || body.action === "purge";
  const max = ofDead ? LETTERS_MAX : JOBS_MAX;
  if (body.dryRun === true && ofDead && isAll(filter))
    return { count: await lettersIn(context, filter.queue), unknown: [] };
  const untilMs = await serverNowMs(context);
  let query: SearchQuery | undefined = await queryOf(context, body, filter);
  const found: FoundDelivery[] = [];
  for (let looks = 0; query !== undefined && looks < LOOKS_MAX && found.length < max; looks++) {
    const page: Awaited<ReturnType<typeof searchDeliveries>> = await searchDeliveries(context, query);
    // What fails again meanwhile stays.
    found.push(...page.found.filter(({ sinceMs }) => sinceMs <= untilMs));
    query = page.cursor === undefined ? undefined : { ...query, cursor: page.cursor };
  }
  const next = query?.cursor;
  if (body.dryRun) return { count: found.length, unknown: [], ...(next !== undefined && { cursor: next }) };
  const letters = ofDead ? await actOnLetters(parts, body, found.map(letterOf)) : undefined;
  const count = letters?.count ?? (await each(found, ({ id }) => changeOne(queue, body, id))).filter(Boolean).length;
  // What is gone does not stand in the way any more: the next call begins again. Where nothing went it goes on.
  const goesOn = count === 0 || body.action === "reschedule";
  const more = next === undefined ? {} : { cursor: goesOn ? next : RESTART };
  return { count, unknown: [], ...more, ...(letters?.undo !== undefined && { undo: letters.undo }) };
}

const RESTART = "more";

/** Nothing is asked of a letter but where it is: then nobody has to look at each. */
function isAll({ queue: _queue, ...asked }: Filter): boolean {
  return Object.values(asked).every((one) => one === undefined);
}

async function lettersIn(context: BrokerContext, queue: string | undefined): Promise<number> {
  const names = queue === undefined ? await queueNames(context) : [queue];
  const depths = await Promise.all(names.map((name) => queueDepth(context, name)));
  return depths.reduce((sum, { dead }) => sum + dead, 0);
}

async function queryOf(context: BrokerContext, body: BulkBody, filter: Filter): Promise<SearchQuery> {
  const { states, olderThan, queue, ...rest } = filter;
  const olderThanMs = olderThan === undefined ? undefined : durationMs(olderThan);
  if (olderThan !== undefined && olderThanMs === undefined) throw refusal('olderThan must be a duration such as "5m"');
  const ofDead = body.action === "retry" || body.action === "purge";
  const all = ofDead ? (await queueNames(context)).sort() : await workQueues(context);
  const { cursor } = body;
  return {
    ...rest,
    queues: queue === undefined ? all : [queue],
    states: ofDead ? ["dead"] : (states ?? ["waiting", "delayed"]),
    limit: PAGE,
    ...(olderThanMs !== undefined && { olderThanMs }),
    ...(cursor !== undefined && cursor !== RESTART && { cursor }),
  };
}

async function actOnLetters(
  { context, newId }: BulkParts,
  { action, dryRun }: BulkBody,
  letters: readonly DeadLetter[],
): Promise<{ count: number; undo?: string }> {
  if (dryRun || letters.length === 0) return { count: letters.length };
  const token = newId();
  const undo = action === "purge" && (await keepLetters(context, letters, token)) ? token : undefined;
  const act = action === "purge" ? purgeDead : retryDead;
  let count = 0;
  for (const [queue, own] of Map.groupBy(letters, (letter) => letter.queue))
    for (let at = 0; at < own.length; at += PAGE) count += await act(context, queue, own.slice(at, at + PAGE));
  return { count, ...(undo !== undefined && { undo }) };
}

async function changeOne(queue: Queue, { action, delay }: BulkBody, id: string): Promise<boolean> {
  if (action !== "reschedule") return ["cancelled", "signalled"].includes(await queue.cancel(id));
  return (await queue.edit(id, { delay: delay as Duration } satisfies Change)) === "edited";
}

async function each<T, R>(all: readonly T[], act: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < all.length; at += AT_ONCE)
    results.push(...(await Promise.all(all.slice(at, at + AT_ONCE).map(act))));
  return results;
}

function letterOf({ number, id, queue, element, key, reason = "", sinceMs, header }: FoundDelivery): DeadLetter {
  return { number, id, queue, element, key, reason, at: sinceMs, header };
}

function refusal(detail: string): AntiphonError {
  return new AntiphonError("OPTIONS_INVALID", `${detail}.`);
}
