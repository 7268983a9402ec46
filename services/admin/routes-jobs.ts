// /api/jobs: single deliveries: looked for, looked at, enqueued, changed, ended, run again, forgotten.

import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import type { Change, EnqueueOptions, Search, State } from "../queue/queue.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { type Duration, durationMs } from "../sdk/duration.ts";
import { IdParams, Job, JobQuery, JobStory, LIMIT, pageOf, STATES } from "./api.ts";
import { Acted, Enqueued, JobChange, NewJob } from "./api-bot.ts";
import { change, look } from "./declared.ts";
import { finishedJobs } from "./finished.ts";
import type { ApiParts } from "./parts.ts";
import { jobRow } from "./shapes.ts";
import { storyOf } from "./story.ts";

const tag = "jobs";
const ResultQuery = Type.Object({ wait: Type.Optional(Type.String({ maxLength: 32 })) });
const Result = Type.Object({ result: Type.Unknown() });
/** A request is not held longer: whoever wants more asks again. */
const RESULT_MS_MAX = 30_000;

export function jobRoutes(parts: ApiParts): FastifyPluginAsyncTypebox {
  return async (app) => {
    await app.register(looks(parts));
    await app.register(changes(parts));
  };
}

function looks(parts: ApiParts): FastifyPluginAsyncTypebox {
  const { queue, context } = parts;
  return async (app) => {
    app.get(
      "/jobs",
      look(
        { id: "searchJobs", tag, says: "Deliveries by what is known of them; finished ones from the history." },
        pageOf(Job),
        {
          querystring: JobQuery,
        },
      ),
      async ({ query }) => (query.state === "finished" ? finishedJobs(parts, query) : jobPage(parts, query)),
    );
    app.get(
      "/dead",
      look({ id: "listDead", tag, says: "What failed for good, the newest of each queue first." }, pageOf(Job), {
        querystring: Type.Omit(JobQuery, ["state"]),
      }),
      async ({ query }) => jobPage(parts, { ...query, state: "dead" }),
    );
    app.get(
      "/jobs/:id",
      look({ id: "showJob", tag, says: "Everything that is known of one." }, JobStory, { params: IdParams }),
      async ({ params }) => storyOf(context, queue, params.id),
    );
    app.get(
      "/jobs/:id/result",
      look(
        { id: "awaitResult", tag, says: "What a job that was enqueued with `result` returned; waits up to 30 s." },
        Result,
        {
          params: IdParams,
          querystring: ResultQuery,
        },
      ),
      async ({ params, query }) => {
        const ms = query.wait === undefined ? RESULT_MS_MAX : durationMs(query.wait);
        if (ms === undefined) throw new AntiphonError("OPTIONS_INVALID", `wait: "${query.wait}" is no duration.`);
        const timeout: Duration = `${Math.min(ms, RESULT_MS_MAX)}ms`;
        return { result: (await queue.result(params.id, { timeout })) ?? null };
      },
    );
  };
}

function changes({ queue }: ApiParts): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      "/jobs",
      change(
        { id: "enqueueJob", tag, audit: "job.enqueue", says: "Enqueues a job by its name or its route's id." },
        Enqueued,
        {
          body: NewJob,
        },
      ),
      async ({ body }) => queue.enqueue(body.job, body.input ?? {}, optionsOf(body.options)),
    );
    app.patch(
      "/jobs/:id",
      change(
        { id: "changeJob", tag, audit: "job.edit", says: "Another input, class or time, while nobody runs it." },
        Acted,
        {
          params: IdParams,
          body: JobChange,
        },
      ),
      async ({ params, body }) => acted(params.id, await queue.edit(params.id, changeOf(body))),
    );
    app.post(
      "/jobs/:id/cancel",
      change(
        { id: "cancelJob", tag, audit: "job.cancel", says: "Ends one that runs; forgets one that waits." },
        Acted,
        {
          params: IdParams,
        },
      ),
      async ({ params }) => acted(params.id, await queue.cancel(params.id)),
    );
    app.post(
      "/jobs/:id/retry",
      change(
        { id: "retryJob", tag, audit: "job.retry", says: "A dead letter runs again, with no failures counted." },
        Acted,
        {
          params: IdParams,
        },
      ),
      async ({ params }) => {
        if (await queue.retry(params.id)) return { outcome: "retried" as const };
        const found = await queue.find(params.id);
        return acted(params.id, found === undefined ? "unknown" : "alive");
      },
    );
    app.delete(
      "/jobs/:id",
      change(
        { id: "deleteJob", tag, audit: "job.delete", says: "Forgets one that nobody runs, dead letters too." },
        Acted,
        {
          params: IdParams,
        },
      ),
      async ({ params: { id } }) => {
        const found = await queue.find(id);
        if (found?.state === "claimed") return acted(id, "claimed");
        if (found?.state === "dead") return acted(id, (await queue.dead.purge(id)).count > 0 ? "deleted" : "unknown");
        const outcome = await queue.cancel(id);
        return acted(id, outcome === "cancelled" ? "deleted" : outcome);
      },
    );
  };
}

/** Most searches of one page, each of some thousand deliveries: places that are empty count, too. */
const SEARCHES_MAX = 2;

async function jobPage({ queue }: ApiParts, query: JobQuery): Promise<{ items: Job[]; cursor?: string }> {
  const { limit = LIMIT, ...search } = searchOf(query);
  const items: Job[] = [];
  let { cursor } = search;
  for (let searches = 0; searches < SEARCHES_MAX && items.length < limit; searches++) {
    const from = cursor === undefined ? {} : { cursor };
    const page = await queue.search({ ...search, ...from, limit: limit - items.length });
    items.push(...page.found.map(jobRow));
    cursor = page.cursor;
    if (cursor === undefined) return { items };
  }
  return { items, ...(cursor !== undefined && { cursor }) };
}

function searchOf({ state, olderThan, limit = LIMIT, ...filter }: JobQuery): Search {
  const states = state?.split(",").map((one) => one.trim());
  const strange = states?.find((one) => !(STATES as readonly string[]).includes(one));
  if (strange !== undefined)
    throw new AntiphonError("OPTIONS_INVALID", `state: ${strange} is none of ${STATES.join(", ")}, finished.`);
  return {
    ...filter,
    limit,
    ...(states !== undefined && { states: states as State[] }),
    ...(olderThan !== undefined && { olderThan: olderThan as Duration }),
  };
}

/** `at` and the like come as texts. */
function optionsOf({ at, expires, ...options }: Readonly<Record<string, unknown>> = {}): EnqueueOptions {
  return {
    ...options,
    ...(at !== undefined && { at: new Date(String(at)) }),
    ...(expires !== undefined && { expires: timeOf(expires) }),
  } as EnqueueOptions;
}

/** A duration stays what it is. */
function timeOf(value: unknown): unknown {
  return typeof value === "string" && /^\d{4}-\d\d-\d\d/.test(value) ? new Date(value) : value;
}

function changeOf({ at, delay, ...body }: JobChange): Change {
  return {
    ...body,
    ...(delay !== undefined && { delay: delay as Duration }),
    ...(at !== undefined && { at: new Date(at) }),
  } as Change;
}

const REFUSED: Readonly<Record<string, string>> = {
  claimed: "runs now. It can be cancelled.",
  dead: "is dead. It can be run again, or deleted.",
  held: "waits for others, so it has no time of its own.",
  alive: "is no dead letter.",
};

/** @throws AntiphonError NOT_FOUND, CONFLICT */
function acted(id: string, outcome: string): Acted {
  if (outcome === "unknown") throw new AntiphonError("NOT_FOUND", `There is no delivery ${id}.`);
  const refused = REFUSED[outcome];
  if (refused !== undefined) throw new AntiphonError("CONFLICT", `${id} ${refused}`);
  return { outcome: outcome as Acted["outcome"] };
}
