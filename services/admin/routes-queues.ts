// /api/queues: what is in them, what holds them back, what they did, their busiest and their blocked keys.

import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { keyView } from "../broker/key-view.ts";
import { queueNames } from "../broker/registered.ts";
import { isOutbox } from "../broker/served.ts";
import type { Limits } from "../queue/queue.ts";
import { Done, HistoryRow, Keys, LimitsBody, NameParams, PageQuery, pageOf, PauseBody, Queue } from "./api.ts";
import { change, look } from "./declared.ts";
import { pageOfList } from "./paging.ts";
import type { ApiParts } from "./parts.ts";
import { historyRow, keysOf, outboxRow, queueRow } from "./shapes.ts";

const tag = "queues";
const HistoryQuery = Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })) });
const DONE = { done: true } as const;

export function queueRoutes(parts: ApiParts): FastifyPluginAsyncTypebox {
  return async (app) => {
    await app.register(looks(parts));
    await app.register(changes(parts));
  };
}

function looks({ queue, context }: ApiParts): FastifyPluginAsyncTypebox {
  const row = async (name: string): Promise<Queue> =>
    isOutbox(name) ? outboxRow(await queue.depth(name)) : queueRow(await queue.show(name));
  return async (app) => {
    app.get(
      "/queues",
      look({ id: "listQueues", tag, says: "All queues by their names, outboxes included." }, pageOf(Queue), {
        querystring: PageQuery,
      }),
      async ({ query }) => {
        const { items: names, cursor } = pageOfList((await queueNames(context)).sort(), (name) => name, query);
        return { items: await Promise.all(names.map((name) => row(name))), ...cursor };
      },
    );
    app.get(
      "/queues/:name",
      look({ id: "showQueue", tag, says: "One queue. One that does not exist is told as empty." }, Queue, {
        params: NameParams,
      }),
      ({ params }) => row(params.name),
    );
    app.get(
      "/queues/:name/history",
      look({ id: "showQueueHistory", tag, says: "What came of its last runs, the newest first." }, pageOf(HistoryRow), {
        params: NameParams,
        querystring: HistoryQuery,
      }),
      async ({ params, query }) => {
        const entries = await queue.history(params.name, query);
        return { items: entries.map((entry) => historyRow(entry, params.name)) };
      },
    );
    app.get(
      "/queues/:name/keys",
      look({ id: "showQueueKeys", tag, says: "Its busiest ordering keys, and those that wait." }, Keys, {
        params: NameParams,
        querystring: PageQuery,
      }),
      async ({ params, query }) => keysOf(await keyView(context, params.name, query)),
    );
  };
}

function changes({ queue }: ApiParts): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      "/queues/:name/pause",
      change(
        { id: "pauseQueue", tag, audit: "queue.pause", says: "Nothing new of it, of one route or key in it, begins." },
        Done,
        { params: NameParams, body: PauseBody },
      ),
      async ({ params, body }) => {
        await queue.pause(params.name, body);
        return DONE;
      },
    );
    app.post(
      "/queues/:name/resume",
      change({ id: "resumeQueue", tag, audit: "queue.resume", says: "Takes a pause back." }, Done, {
        params: NameParams,
        body: PauseBody,
      }),
      async ({ params, body }) => {
        await queue.resume(params.name, body);
        return DONE;
      },
    );
    app.put(
      "/queues/:name/limits",
      change(
        {
          id: "limitQueue",
          tag,
          audit: "queue.limit",
          says: "Limits what begins of it over all workers; null: no more.",
        },
        Done,
        { params: NameParams, body: LimitsBody },
      ),
      async ({ params, body }) => {
        await queue.limit(params.name, body as Limits | null);
        return DONE;
      },
    );
  };
}
