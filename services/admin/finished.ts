// What has finished lately, over the histories of the queues, the newest first. A page reads the newest part of each history;
// what is older than that is not told.

import { workQueues } from "../queue/looking.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { durationMs } from "../sdk/duration.ts";
import { type HistoryRow, type Job, type JobQuery, LIMIT } from "./api.ts";
import type { ApiParts } from "./parts.ts";
import { finishedRow, historyRow } from "./shapes.ts";
import { HISTORY_LOOKED_AT } from "./story.ts";

const QUEUES_MAX = 100;

/** A cursor is when the last one ended, and how many of that moment were told. */
export async function finishedJobs(
  { context, queue, clock }: Pick<ApiParts, "context" | "queue" | "clock">,
  wanted: JobQuery,
): Promise<{ items: Job[]; cursor?: string }> {
  const { limit = LIMIT, cursor } = wanted;
  const names = wanted.queue === undefined ? (await workQueues(context)).slice(0, QUEUES_MAX) : [wanted.queue];
  const histories = await Promise.all(
    names.map(async (name) =>
      (await queue.history(name, { limit: HISTORY_LOOKED_AT })).map((entry) => historyRow(entry, name)),
    ),
  );
  const fits = filterOf(wanted, clock.now());
  const all = histories
    .flat()
    .filter(fits)
    .sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : a.id < b.id ? -1 : 1));
  const [before, told] = cursor === undefined ? ["", 0] : readCursor(cursor);
  const left = cursor === undefined ? all : all.filter(({ at }) => at <= before).slice(told);
  const items = left.slice(0, limit);
  const last = items.at(-1)?.at;
  if (left.length === items.length || last === undefined) return { items: items.map(finishedRow) };
  const same = items.filter(({ at }) => at === last).length + (last === before ? told : 0);
  return { items: items.map(finishedRow), cursor: `${last} ${same}` };
}

function readCursor(cursor: string): [string, number] {
  const [at = "", told = "0"] = cursor.split(" ");
  return [at, Number(told) || 0];
}

function filterOf({ route, text, key, tag, olderThan }: JobQuery, nowMs: number): (row: HistoryRow) => boolean {
  const untilMs = olderThan === undefined ? undefined : durationMs(olderThan);
  if (olderThan !== undefined && untilMs === undefined)
    throw new AntiphonError("OPTIONS_INVALID", `olderThan: "${olderThan}" is no duration such as "5m".`);
  if (key !== undefined || tag !== undefined)
    throw new AntiphonError("OPTIONS_INVALID", "The history knows neither keys nor tags.");
  return ({ routes, error = "", result = "", id, at }) =>
    (route === undefined || routes.some((one) => one === route || one.startsWith(`${route}.`))) &&
    (text === undefined || [id, error, result].some((one) => one.includes(text))) &&
    (untilMs === undefined || Date.parse(at) < nowMs - untilMs);
}
