// The chat connections as rows: who leads each, how it stands there, what waits in its outbox and for which rooms.

import { queueDepth } from "../broker/depth.ts";
import { keyView } from "../broker/key-view.ts";
import { queueNames } from "../broker/registered.ts";
import { mastersOf } from "../leader/masters.ts";
import { type Seat, seats } from "../leader/seats.ts";
import type { PageQuery } from "./api.ts";
import type { ChatUnit } from "./api-bot.ts";
import { pageOfList } from "./paging.ts";
import type { ApiParts } from "./parts.ts";
import { iso } from "./shapes.ts";

const OUTBOX = "outbox/";
const ROOMS_MAX = 50;

export async function chatUnits(parts: ApiParts, query: PageQuery): Promise<{ items: ChatUnit[]; cursor?: string }> {
  const { context, leaseMs } = parts;
  const { client, keys } = context;
  const masters = await mastersOf(client, keys, leaseMs);
  const outboxes = (await queueNames(context)).filter((name) => name.startsWith(OUTBOX));
  const units = new Set([
    ...masters.flatMap((master) => master.units),
    ...outboxes.map((name) => name.slice(OUTBOX.length)),
  ]);
  units.delete("control");
  const { items, cursor } = pageOfList([...units].sort(), (unit) => unit, query);
  const taken = await seats(client, keys, { units: items, masters: [] });
  const rows = taken.filter(({ unit }) => items.includes(unit)).map((seat) => unitOf(parts, seat));
  return { items: await Promise.all(rows), ...cursor };
}

async function unitOf({ context }: ApiParts, seat: Seat): Promise<ChatUnit> {
  const { unit, leader, epoch, ageMs, vacantMs, handovers, expiries, fenced, doubts } = seat;
  const name = `${OUTBOX}${unit}`;
  const { client, keys } = context;
  const [{ ready, claimed, delayed, dead }, view, inDoubt, told] = await Promise.all([
    queueDepth(context, name),
    keyView(context, name, { limit: ROOMS_MAX }),
    client.hlen(`${keys.outbox(unit)}:doubt`),
    client.hmget(keys.seat(unit), "state", "detail", "stateAt"),
  ]);
  const [state, detail, stateAt] = told;
  return {
    unit,
    adapter: unit.split("/")[0] ?? unit,
    leader: leader === undefined ? null : leader.slice(0, leader.lastIndexOf("/")),
    epoch: epoch ?? null,
    heldForMs: ageMs ?? null,
    state: state ?? "unknown",
    detail: detail ?? "",
    ...(stateAt && { stateAt: iso(Number(stateAt)) }),
    handovers,
    expiries,
    ...(vacantMs !== undefined && { vacantMs }),
    fencedWrites: fenced,
    doubts,
    outbox: { waiting: ready, claimed, delayed, dead },
    rooms: view.hottest.map(({ key, waiting, untilMs }) => ({
      room: key,
      waiting,
      ...(untilMs !== undefined && { until: iso(untilMs) }),
    })),
    inDoubt,
  };
}
