// The routes of the bot as rows, and the switch that holds one back in every queue it may wait in.

import { type RouteNote, readCatalogue } from "../broker/catalogue.ts";
import type { BrokerContext } from "../broker/connection.ts";
import { pausesOf } from "../broker/pauses.ts";
import { CHAT } from "../broker/served.ts";
import { readRoutes } from "../broker/routes.ts";
import { workQueues } from "../queue/looking.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { suggestion } from "../runtime/suggest.ts";
import type { Route } from "./api-bot.ts";
import type { ApiParts } from "./parts.ts";
import { iso } from "./shapes.ts";

/** By their ids; those that no worker describes any more too, for they may still have deliveries. */
export async function routeRows(context: BrokerContext): Promise<Route[]> {
  const [notes, numbers, known] = await Promise.all([readCatalogue(context), readRoutes(context), workQueues(context)]);
  const queues = [...new Set([...known, ...[...notes.values()].map(({ queue }) => queue)])].sort();
  const pauses = await Promise.all(queues.map((queue) => pausesOf(context, queue)));
  const held = new Map<number, Route["pausedIn"]>();
  for (const [index, own] of pauses.entries())
    for (const pause of own)
      if (pause.kind === "route") {
        const row = { queue: queues[index] ?? "", since: iso(pause.sinceMs) };
        held.set(pause.route, [...(held.get(pause.route) ?? []), row]);
      }
  const rows = [...numbers].map(([number, id]) =>
    rowOf(id, notes.get(id), { queues: known, pausedIn: held.get(number) ?? [] }),
  );
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1));
}

function rowOf(
  id: string,
  note: RouteNote | undefined,
  { queues, pausedIn }: { readonly queues: readonly string[]; readonly pausedIn: Route["pausedIn"] },
): Route {
  const { queue, restrictTo, ...told } = note ?? {};
  const waitsIn = queue === CHAT ? [CHAT] : [...queues, ...(queue === undefined ? [] : [queue])];
  return {
    id,
    handler: id.split(".")[0] ?? id,
    ...told,
    ...(restrictTo !== undefined && { restrictTo: [...restrictTo] }),
    pausedIn,
    disabled: pausedIn.length > 0 && waitsIn.every((name) => pausedIn.some((pause) => pause.queue === name)),
  };
}

/** @throws AntiphonError NOT_FOUND */
export async function switchRoute({ queue, context }: ApiParts, id: string, word: "disable" | "enable"): Promise<void> {
  const ids = [...(await readRoutes(context)).values()];
  if (!ids.includes(id))
    throw new AntiphonError("NOT_FOUND", `No worker ever had a route ${id}.${suggestion(id, ids)}`);
  const own = (await readCatalogue(context)).get(id)?.queue;
  // What is said in chat waits nowhere else.
  const queues = own === CHAT ? [CHAT] : new Set([...(await workQueues(context)), ...(own === undefined ? [] : [own])]);
  for (const name of queues)
    await (word === "disable" ? queue.pause(name, { route: id }) : queue.resume(name, { route: id }));
}
