// /api/schedules: what comes due when, and what an operator changes about it.

import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import type { ScheduleChange as Change } from "../queue/queue.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { Done, HistoryRow, IdParams, LIMIT, PageQuery, pageOf } from "./api.ts";
import { NewSchedule, Schedule, ScheduleChange } from "./api-bot.ts";
import { change, look } from "./declared.ts";
import { pageOfList } from "./paging.ts";
import type { ApiParts } from "./parts.ts";
import { historyRow, scheduleRow } from "./shapes.ts";
import { HISTORY_LOOKED_AT } from "./story.ts";

const tag = "schedules";
const Ran = Type.Object({ id: Type.String() });
const LimitQuery = Type.Pick(PageQuery, ["limit"]);
const DONE = { done: true } as const;

const VERBS = {
  pause: "It fires no more; slots that pass meanwhile are not made up for.",
  resume: "It fires again.",
  reset: "As the handler defines it, and not paused.",
} as const;

export function scheduleRoutes(parts: ApiParts): FastifyPluginAsyncTypebox {
  return async (app) => {
    await app.register(looks(parts));
    await app.register(changes(parts));
    await app.register(verbs(parts));
  };
}

function looks(parts: ApiParts): FastifyPluginAsyncTypebox {
  const { schedules } = parts.queue;
  return async (app) => {
    app.get(
      "/schedules",
      look(
        { id: "listSchedules", tag, says: "Schedules of handlers and those that were added, by their ids." },
        pageOf(Schedule),
        {
          querystring: PageQuery,
        },
      ),
      async ({ query }) => {
        const { items, cursor } = pageOfList(await schedules.list(), ({ id }) => id, query);
        return { items: items.map(scheduleRow), ...cursor };
      },
    );
    app.get(
      "/schedules/:id/history",
      look(
        { id: "showScheduleHistory", tag, says: "Its last runs, as far as the history of its queue knows them." },
        pageOf(HistoryRow),
        {
          params: IdParams,
          querystring: LimitQuery,
        },
      ),
      async ({ params, query }) => ({ items: await historyOf(parts, params.id, query.limit ?? LIMIT) }),
    );
  };
}

function changes({ queue: { schedules } }: ApiParts): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      "/schedules",
      change(
        {
          id: "addSchedule",
          tag,
          audit: "schedule.add",
          says: "One that no handler defines; adding it again replaces it.",
        },
        Done,
        {
          body: NewSchedule,
        },
      ),
      async ({ body: { id, every, ...rest } }) => {
        await schedules.add(id, {
          ...rest,
          ...(every !== undefined && { every: every as NonNullable<Change["every"]> }),
        });
        return DONE;
      },
    );
    app.patch(
      "/schedules/:id",
      change(
        { id: "changeSchedule", tag, audit: "schedule.edit", says: "Other times or policies, within a second." },
        Done,
        {
          params: IdParams,
          body: ScheduleChange,
        },
      ),
      async ({ params, body }) => {
        if (Object.keys(body).length === 0) throw new AntiphonError("OPTIONS_INVALID", "There is nothing to change.");
        await schedules.set(params.id, body as Change);
        return DONE;
      },
    );
    app.delete(
      "/schedules/:id",
      change({ id: "removeSchedule", tag, audit: "schedule.remove", says: "Of those that were added." }, Done, {
        params: IdParams,
      }),
      async ({ params }) => {
        await schedules.remove(params.id);
        return DONE;
      },
    );
  };
}

function verbs({ queue: { schedules } }: ApiParts): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      "/schedules/:id/run",
      change({ id: "runSchedule", tag, audit: "schedule.run", says: "Runs it now, besides its slots." }, Ran, {
        params: IdParams,
      }),
      ({ params }) => schedules.run(params.id),
    );
    for (const verb of ["pause", "resume", "reset"] as const) {
      app.post(
        `/schedules/:id/${verb}`,
        change({ id: `${verb}Schedule`, tag, audit: `schedule.${verb}`, says: VERBS[verb] }, Done, {
          params: IdParams,
        }),
        async ({ params }) => {
          await schedules[verb](params.id);
          return DONE;
        },
      );
    }
  };
}

async function historyOf({ queue }: ApiParts, id: string, limit: number): Promise<HistoryRow[]> {
  const found = (await queue.schedules.list()).find((one) => one.id === id);
  if (found === undefined) throw new AntiphonError("SCHEDULE_UNKNOWN", `${id}.`);
  const history = await queue.history(found.queue, { limit: HISTORY_LOOKED_AT });
  const own = history.filter(({ routes = [] }) => routes.includes(found.route));
  return own.slice(0, limit).map((entry) => historyRow(entry, found.queue));
}
