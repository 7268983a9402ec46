// What runs: the claims as Redis has them, and in which thread each began, as its worker said last.

import { type BrokerContext, serverNowMs } from "../broker/connection.ts";
import { podOf } from "../broker/pods.ts";
import { registeredWorkers } from "../broker/registered.ts";
import { readRoutes } from "../broker/routes.ts";
import { type FoundDelivery, searchDeliveries } from "../broker/search.ts";
import { readVitals } from "../broker/vitals.ts";
import { listedOf } from "../queue/listed.ts";
import { workQueues } from "../queue/looking.ts";
import { LIMIT } from "./api.ts";
import type { Run } from "./api-workers.ts";
import { iso } from "./shapes.ts";

/** By how much two readings of the server's clock may differ. */
const SKEW_MS = 500;

export interface RunQuery {
  readonly queue?: string;
  readonly limit?: number;
  readonly cursor?: string;
}

export async function runPage(
  context: BrokerContext,
  { queue, limit = LIMIT, ...rest }: RunQuery,
): Promise<{ items: Run[]; cursor?: string }> {
  const queues = queue === undefined ? await workQueues(context) : [queue];
  const [{ found, cursor }, nowMs] = await Promise.all([
    searchDeliveries(context, { queues, states: ["claimed"], limit, ...rest }),
    serverNowMs(context),
  ]);
  const placeOf = await places(context, found);
  const items = found.map((one): Run => {
    const { id, queue: name, worker = "", kind, key, attempts, since, ...listed } = listedOf(one);
    const { route = listed.route, ...place } = placeOf(one);
    return {
      id,
      queue: name,
      pod: podOf(worker),
      attempts,
      since: since.toISOString(),
      ms: Math.max(0, nowMs - since.getTime()),
      ...(route !== undefined && { route }),
      ...(kind !== undefined && { kind }),
      ...(key !== undefined && { key }),
      ...place,
    };
  });
  return { items, ...(cursor !== undefined && { cursor }) };
}

type Place = Pick<Run, "route" | "thread" | "process" | "begun">;

async function places(context: BrokerContext, found: readonly FoundDelivery[]): Promise<(one: FoundDelivery) => Place> {
  if (found.length === 0) return () => ({});
  const workers = await registeredWorkers(context, [...new Set(found.map(({ queue }) => queue))]);
  const wids = new Set(found.map(({ wid }) => wid));
  const processes = new Map(
    workers.flatMap(({ wid, facts }) => (facts !== undefined && wids.has(wid) ? [[wid, facts.process]] : [])),
  );
  const [told, routes] = await Promise.all([
    readVitals(context, [...new Set(processes.values())]),
    readRoutes(context),
  ]);
  const known = new Map<string, Place>();
  for (const [process, { threads = [] }] of told)
    for (const { thread, runs } of threads)
      for (const [id, number, sinceMs] of runs) {
        const route = routes.get(number);
        known.set(`${process} ${id}`, { thread, process, begun: iso(sinceMs), ...(route !== undefined && { route }) });
      }
  return ({ wid = "", number, sinceMs }) => {
    const place = known.get(`${processes.get(wid)} ${number}`);
    // What is told may be of the attempt before this one.
    return place?.begun !== undefined && Date.parse(place.begun) > sinceMs - SKEW_MS ? place : {};
  };
}
