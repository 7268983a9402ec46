// /api/routes, /api/chat, /api/bus and /api/leaders: what the handlers offer, who speaks in chat, how the bus stands, who leads.

import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { busNodes } from "../bus/nodes.ts";
import { mastersOf } from "../leader/masters.ts";
import { seats } from "../leader/seats.ts";
import { Done, IdParams, PageQuery, pageOf } from "./api.ts";
import { type BusNode, BusView, ChatUnit, Route } from "./api-bot.ts";
import { Leaders } from "./api-doctor.ts";
import { chatUnits } from "./chat.ts";
import { change, look } from "./declared.ts";
import { pageOfList } from "./paging.ts";
import type { ApiParts } from "./parts.ts";
import { routeRows, switchRoute } from "./route-rows.ts";

const DONE = { done: true } as const;
const LeaderQuery = Type.Object({ units: Type.Optional(Type.String({ maxLength: 2048 })) });

export function botRoutes(parts: ApiParts): FastifyPluginAsyncTypebox {
  const { context, leaseMs } = parts;
  return async (app) => {
    app.get(
      "/routes",
      look(
        { id: "listRoutes", tag: "routes", says: "What the handlers offer, and what of it is switched off." },
        pageOf(Route),
        {
          querystring: PageQuery,
        },
      ),
      async ({ query }) => {
        const { items, cursor } = pageOfList(await routeRows(context), ({ id }) => id, query);
        return { items: [...items], ...cursor };
      },
    );
    for (const word of ["disable", "enable"] as const) {
      app.post(
        `/routes/:id/${word}`,
        change({ id: `${word}Route`, tag: "routes", audit: `route.${word}`, says: SWITCH[word] }, Done, {
          params: IdParams,
        }),
        async ({ params }) => {
          await switchRoute(parts, params.id, word);
          return DONE;
        },
      );
    }
    app.get(
      "/chat",
      look(
        { id: "listChatUnits", tag: "chat", says: "Who leads which connection, and what it still has to say." },
        pageOf(ChatUnit),
        {
          querystring: PageQuery,
        },
      ),
      async ({ query }) => chatUnits(parts, query),
    );
    app.get(
      "/bus",
      look(
        { id: "showBus", tag: "bus", says: "How the bus stands in each process that has work with it." },
        BusView,
        {},
      ),
      async () => {
        const { nodes, total } = await busNodes(context);
        return { nodes: nodes as unknown as BusNode[], total };
      },
    );
    app.get(
      "/leaders",
      look({ id: "listLeaders", tag: "chat", says: "Who leads which unit, as `antiphon leader` tells it." }, Leaders, {
        querystring: LeaderQuery,
      }),
      async ({ query }) => {
        const masters = await mastersOf(context.client, context.keys, leaseMs);
        const units = query.units === undefined ? [] : query.units.split(",");
        return { units: await seats(context.client, context.keys, { units, masters }), masters };
      },
    );
  };
}

const SWITCH = {
  disable: "Nothing new of it runs until it is enabled again; what comes meanwhile waits.",
  enable: "It runs again, and what waited for it.",
} as const;
