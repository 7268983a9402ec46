// /api/workers and /api/runs: which workers there are, what runs now, and what workers are told to do.

import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { type Static, Type } from "typebox";
import { serverNowMs } from "../broker/connection.ts";
import { readVitals } from "../broker/vitals.ts";
import { Done, LIMIT, PageQuery, pageOf } from "./api.ts";
import { Run, Worker } from "./api-bot.ts";
import { change, look } from "./declared.ts";
import { pageOfList } from "./paging.ts";
import type { ApiParts } from "./parts.ts";
import { workerRow } from "./shapes.ts";

const tag = "workers";
const PodParams = Type.Object({ pod: Type.String({ minLength: 1, maxLength: 256 }) });
const RunQuery = Type.Object({
  ...PageQuery.properties,
  queue: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
});
const DONE = { done: true } as const;

const ORDERS = {
  quiet: "It finishes what it has and takes nothing more, until it is resumed.",
  resume: "It takes work again.",
  stop: "It drains and ends, as on SIGTERM. Whoever started it decides whether another one starts.",
} as const;

export function workerRoutes(parts: ApiParts): FastifyPluginAsyncTypebox {
  const { queue } = parts;
  return async (app) => {
    app.get(
      "/workers",
      look({ id: "listWorkers", tag, says: "The workers that there are, by their pods' names." }, pageOf(Worker), {
        querystring: PageQuery,
      }),
      async ({ query }) => {
        const { items, cursor } = pageOfList(await queue.workers.list(), ({ pod }) => pod, query);
        const told = await readVitals(
          parts.context,
          items.map(({ pod }) => pod),
        );
        return { items: items.map((worker) => ({ ...workerRow(worker), ...told.get(worker.pod) })), ...cursor };
      },
    );
    app.get(
      "/runs",
      look({ id: "listRuns", tag, says: "What workers have claimed: it runs, or is about to." }, pageOf(Run), {
        querystring: RunQuery,
      }),
      async ({ query }) => runPage(parts, query),
    );
    for (const order of ["quiet", "resume", "stop"] as const) {
      app.post(
        `/workers/:pod/${order}`,
        change({ id: `${order}Worker`, tag, audit: `worker.${order}`, says: ORDERS[order] }, Done, {
          params: PodParams,
        }),
        async ({ params }) => {
          await queue.workers[order](params.pod);
          return DONE;
        },
      );
    }
  };
}

async function runPage(
  { queue, context }: ApiParts,
  { limit = LIMIT, ...query }: Static<typeof RunQuery>,
): Promise<{ items: Run[]; cursor?: string }> {
  const [{ found, cursor }, nowMs] = await Promise.all([
    queue.search({ ...query, states: ["claimed"], limit }),
    serverNowMs(context),
  ]);
  const items = found.map(({ id, queue: name, worker = "", route, kind, key, attempts, since }): Run => ({
    id,
    queue: name,
    pod: worker.slice(0, worker.lastIndexOf(".")),
    attempts,
    since: since.toISOString(),
    ms: Math.max(0, nowMs - since.getTime()),
    ...(route !== undefined && { route }),
    ...(kind !== undefined && { kind }),
    ...(key !== undefined && { key }),
  }));
  return { items, ...(cursor !== undefined && { cursor }) };
}
