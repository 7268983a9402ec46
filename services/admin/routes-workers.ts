// /api/workers and /api/runs: which workers there are, what runs now, and what workers are told to do.

import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { readVitals, type Vitals } from "../broker/vitals.ts";
import type { WorkerInfo } from "../queue/queue.ts";
import { Done, PageQuery, pageOf } from "./api.ts";
import { Run, Worker } from "./api-workers.ts";
import { change, look } from "./declared.ts";
import { pageOfList } from "./paging.ts";
import type { ApiParts } from "./parts.ts";
import { runPage } from "./runs.ts";
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
          items.flatMap(({ processes }) => processes),
        );
        return { items: items.map((worker) => ({ ...workerRow(worker), ...saidOf(worker, told) })), ...cursor };
      },
    );
    app.get(
      "/runs",
      look({ id: "listRuns", tag, says: "What workers have claimed: it runs, or is about to." }, pageOf(Run), {
        querystring: RunQuery,
      }),
      async ({ query }) => runPage(parts.context, query),
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

/** Of all processes that go by this name. */
function saidOf({ processes }: WorkerInfo, told: ReadonlyMap<string, Vitals>): Partial<Worker> {
  const said = processes.flatMap((process) => {
    const vitals = told.get(process);
    return vitals === undefined ? [] : [{ process, ...vitals }];
  });
  if (said.length === 0) return {};
  const heaps = said.flatMap(({ heapBytes }) => heapBytes ?? []);
  const threadsNow = said.flatMap(({ process, threads = [] }) =>
    threads.map(({ thread, state, slots, busy, heapBytes }) => {
      return { process, thread, state, slots, busy, ...(heapBytes !== undefined && { heapBytes }) };
    }),
  );
  return {
    rssBytes: said.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
    ...(heaps.length > 0 && { heapBytes: heaps.reduce((sum, bytes) => sum + bytes, 0) }),
    ...(threadsNow.length > 0 && { threadsNow }),
  };
}
