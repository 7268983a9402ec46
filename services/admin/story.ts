// One delivery's whole story: what is stored of it, what its attempts left, and its runs as far as the history knows them.

import type { BrokerContext } from "../broker/connection.ts";
import { findDeadLetter } from "../broker/dead.ts";
import type { EnvelopeHeader, RequestHead } from "../broker/delivery.ts";
import { findDelivery } from "../broker/jobs.ts";
import { queueNames } from "../broker/registered.ts";
import type { Queue } from "../queue/queue.ts";
import { shownOf } from "../queue/listed.ts";
import { AntiphonError } from "../runtime/errors.ts";
import type { HistoryRow, JobStory } from "./api.ts";
import { finishedRow, historyRow } from "./shapes.ts";

const BODY_CHARS_MAX = 512 * 1024;
/** Lines of a queue's history that are looked through. */
export const HISTORY_LOOKED_AT = 1000;
const QUEUES_MAX = 100;
/** Headers whose values prove something. */
const SECRET = /authorization|cookie|token|secret|signature|api-?key|password/i;
const TRACEPARENT = "traceparent";

/** @throws AntiphonError NOT_FOUND, ENVELOPE_UNREADABLE */
export async function storyOf(context: BrokerContext, queue: Queue, id: string): Promise<JobStory> {
  const found = await findDelivery(context, id);
  if (found === undefined) return finishedStory(context, queue, id);
  const letter = found.place === "dead" ? await findDeadLetter(context, [found.queue], id) : undefined;
  const shown = shownOf(found, letter && { reason: letter.reason, attempts: letter.element.attempts });
  const { enqueuedAt, due, body, tags, errors, steps, worker, ...rest } = shown;
  return {
    ...rest,
    ...headerOf(found.header),
    enqueuedAt: enqueuedAt.toISOString(),
    ...(due !== undefined && { due: due.toISOString() }),
    ...(worker !== undefined && { worker }),
    tags: [...tags],
    body: body.slice(0, BODY_CHARS_MAX),
    errors: [...errors],
    steps: [...steps],
    runs: await runsOf(queue, found.queue, id),
  };
}

async function runsOf(queue: Queue, name: string, id: string): Promise<HistoryRow[]> {
  const history = await queue.history(name, { limit: HISTORY_LOOKED_AT });
  return history.flatMap((entry) => (entry.id === id ? [historyRow(entry, name)] : []));
}

/** What has finished is known from the history alone. */
async function finishedStory(context: BrokerContext, queue: Queue, id: string): Promise<JobStory> {
  for (const name of (await queueNames(context)).sort().slice(0, QUEUES_MAX)) {
    const runs = await runsOf(queue, name, id);
    const [last] = runs;
    if (last === undefined) continue;
    const { since: _, excerpt: __, outcome: ___, ...row } = finishedRow(last);
    const errors = runs.flatMap(({ attempt, error }) => (error === undefined ? [] : [{ attempt, error }]));
    return { ...row, body: "", meta: {}, errors: errors.toReversed(), steps: [], runs };
  }
  throw new AntiphonError("NOT_FOUND", `There is no delivery ${id}, and the history does not know it any more.`);
}

function headerOf({
  by,
  meta = {},
  request,
  traceparent,
}: EnvelopeHeader): Pick<JobStory, "by" | "meta" | "request" | "traceparent"> {
  const traced = traceparent ?? meta[TRACEPARENT] ?? request?.headers[TRACEPARENT];
  return {
    ...(by !== undefined && { by }),
    meta: { ...meta },
    ...(request !== undefined && { request: requestOf(request) }),
    ...(typeof traced === "string" && { traceparent: traced }),
  };
}

function requestOf({ method, path, search, headers }: RequestHead): NonNullable<JobStory["request"]> {
  const shown = Object.entries(headers).flatMap(([name, value]): [string, string][] => {
    if (value === undefined) return [];
    return [[name, SECRET.test(name) ? "(masked)" : [value].flat().join(", ")]];
  });
  return { method, path: search === "" ? path : `${path}?${search}`, headers: Object.fromEntries(shown) };
}
