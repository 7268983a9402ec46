// One delivery by the id that its sender was told: where it is, and how to cancel it or change it while nobody runs it.

import { AntiphonError } from "../runtime/errors.ts";
import { deliveryNumber } from "../runtime/ids.ts";
import { loadScript, type Reply, runScriptWith, text, utf8 } from "../redis/scripts.ts";
import { placeBody, readBody, tokenOf } from "./bodies.ts";
import { type BrokerContext, callBroker, translate, withOffset } from "./connection.ts";
import {
  DEFAULT_CLASS,
  decodeEnvelope,
  encodeEnvelope,
  type EnvelopeHeader,
  type PriorityClass,
  UNMATCHED,
} from "./delivery.ts";
import { deliveryArguments, type NewDelivery } from "./producer.ts";
import { readEnvelopes } from "./search-bodies.ts";

const FIND = loadScript(new URL("./lua/find.lua", import.meta.url));
const DUE = loadScript(new URL("./lua/due.lua", import.meta.url));
const CANCEL = loadScript(new URL("./lua/cancel.lua", import.meta.url));
const EDIT = loadScript(new URL("./lua/edit.lua", import.meta.url));
const MOVE = loadScript(new URL("./lua/move.lua", import.meta.url));

/** `held`: it waits for others. `delayed`: its time has not come. `waiting`: in line, or its key waits. */
export type Place = "waiting" | "claimed" | "delayed" | "held" | "dead";

export interface Found {
  /** Its origin id, by which it was found. */
  readonly id: string;
  readonly queue: string;
  /** Decimal; another than the id's after a reschedule. */
  readonly number: string;
  readonly place: Place;
  /** Who has claimed it. */
  readonly worker?: string;
  /** ms since 1970, by the server's clock. */
  readonly dueMs?: number;
  readonly header: EnvelopeHeader;
  readonly payload: Buffer;
  /** What the origin remembers: progress, errors of attempts, steps. */
  readonly notes: Readonly<Record<string, string>>;
}

/** Undefined when there is no such delivery, or no more. */
export async function findDelivery(context: BrokerContext, id: string): Promise<Found | undefined> {
  const number = deliveryNumber(id);
  if (number === undefined) return undefined;
  const call = { script: FIND, keys: [context.keys.queues()], args: [number, id] };
  const reply = (await callBroker(context, call)) as Reply[] | null;
  if (reply === null) return undefined;
  const [queue, present, place, worker] = reply.map((value) => utf8(value)) as [string, string, Place, string];
  if (queue.startsWith("outbox/")) return undefined; // an Action: nobody's work
  const prefix = context.keys.queue(queue);
  try {
    const [stored, notes] = await Promise.all([
      context.client.hgetBuffer(`${prefix}:j`, present),
      context.client.hgetall(`${prefix}:e:${id}`),
    ]);
    const body = stored === null ? null : await wholeBody(context, queue, stored);
    if (body === null) return undefined; // settled meanwhile
    const { header, payload } = readable(id, body);
    const found = { id, queue, number: present, header, payload, notes };
    if (place !== "waiting") return { ...found, place, ...(worker !== "" && { worker }) };
    const entries = await entriesOf(context, { number: present, header, failed: Object.keys(notes) });
    const due = await dueOf(context, queue, entries);
    return due === undefined ? { ...found, place } : { ...found, place: "delayed", dueMs: due };
  } catch (error) {
    throw translate(error);
  }
}

function readable(id: string, body: Buffer): ReturnType<typeof decodeEnvelope> {
  try {
    return decodeEnvelope(body);
  } catch (error) {
    throw new AntiphonError("ENVELOPE_UNREADABLE", `${id}.`, { cause: error });
  }
}

/** `dead` letters are not cancelled but purged. `signalled`: it runs, and its worker was told to end it. */
export async function cancelDelivery(
  context: BrokerContext,
  id: string,
): Promise<"cancelled" | "signalled" | "dead" | "unknown"> {
  const place = await placeOf(context, id);
  if (place === undefined) return "unknown";
  const args = [place.number, id, context.keys.database, ...(await placesIn(context, id, place))];
  const reply = await callBroker(context, { script: CANCEL, keys: [context.keys.queue(place.queue)], args });
  return utf8(reply) as "cancelled" | "signalled" | "dead" | "unknown";
}

/** Where it may be in d. Of one whose envelope cannot be read nobody knows: then it stays there, and is settled unrun. */
async function placesIn(context: BrokerContext, id: string, { queue, number }: PlaceOf): Promise<string[]> {
  try {
    const [envelope] = await readEnvelopes(context, queue, [number]);
    if (envelope?.header === undefined) return [];
    const failed = await context.client.hkeys(`${context.keys.queue(queue)}:e:${id}`);
    return await entriesOf(context, { number, header: envelope.header, failed });
  } catch (error) {
    throw translate(error);
  }
}

export interface Edit {
  readonly payload?: Uint8Array | string;
  readonly class?: PriorityClass;
  /** From now. 0 = now. */
  readonly delayMs?: number;
  /** ms since 1970, by the server's clock. */
  readonly dueAtMs?: number;
}

export type Edited = "edited" | "claimed" | "dead" | "held" | "unknown";

/**
 * Changes a delivery that nobody has claimed. A dead letter and one that is held can get another payload, not another time
 * or class. With another time or class a keyed one rejoins its key at the end. Its id stays the same.
 */
export async function editDelivery(context: BrokerContext, id: string, edit: Edit): Promise<Edited> {
  const found = await findDelivery(context, id);
  if (found === undefined) return "unknown";
  if (found.place === "claimed") return "claimed";
  const payload = edit.payload ?? found.payload;
  const moves = edit.class !== undefined || edit.delayMs !== undefined || edit.dueAtMs !== undefined;
  const prefix = context.keys.queue(found.queue);
  if (!moves) {
    const body = placeBody(context, prefix, encodeEnvelope(found.header, payload));
    return write(context, { script: EDIT, keys: [prefix], args: [found.number, body.argument] }, body.apart);
  }
  if (found.place === "dead" || found.place === "held") return found.place;
  const delivery = movedDelivery(found, edit, await routeNumber(context, found.header));
  const body = placeBody(context, prefix, encodeEnvelope(delivery.header, payload));
  const entries = await entriesOf(context, { ...found, failed: Object.keys(found.notes) });
  const args = [found.number, id, entries.length, ...entries, ...deliveryArguments(delivery, body.argument)];
  return write(context, { script: MOVE, keys: [prefix], args }, body.apart);
}

type Moved = Omit<NewDelivery, "envelope"> & { readonly header: EnvelopeHeader };

function movedDelivery(found: Found, edit: Edit, route: number): Moved {
  const { class: former = DEFAULT_CLASS, ...rest } = found.header;
  const priority = edit.class ?? former;
  const header = { ...rest, origin: found.id, ...(priority !== DEFAULT_CLASS && { class: priority }) };
  const due = edit.dueAtMs ?? (edit.delayMs === undefined ? found.dueMs : undefined);
  return {
    route,
    class: priority,
    header,
    ...(rest.key !== undefined && { key: rest.key }),
    ...(due !== undefined && { dueAtMs: due }),
    ...(edit.delayMs !== undefined && { delayMs: edit.delayMs }),
  };
}

async function write(
  context: BrokerContext,
  call: Parameters<typeof callBroker>[1],
  apart: ReturnType<typeof placeBody>["apart"],
): Promise<Edited> {
  try {
    const reply = utf8(await runScriptWith(context.client, apart ? [apart] : [], withOffset(context, call)));
    return /^\d+$/.test(reply) ? "edited" : (reply as Edited);
  } catch (error) {
    throw translate(error);
  }
}

interface PlaceOf {
  readonly queue: string;
  readonly number: string;
}

async function placeOf(context: BrokerContext, id: string): Promise<PlaceOf | undefined> {
  const number = deliveryNumber(id);
  if (number === undefined) return undefined;
  const call = { script: FIND, keys: [context.keys.queues()], args: [number, id] };
  const reply = (await callBroker(context, call)) as Reply[] | null;
  return reply === null ? undefined : { queue: utf8(reply[0]), number: text(reply[1]) };
}

async function wholeBody(context: BrokerContext, queue: string, stored: Buffer): Promise<Buffer | null> {
  const token = tokenOf(stored);
  return token === "" ? stored : readBody(context, queue, token);
}

/** Its element's, as the producer or a retry of one of several routes gave it. */
async function routeNumber(context: BrokerContext, { route, only = [] }: EnvelopeHeader): Promise<number> {
  const named = only.length === 1 ? only[0] : route;
  return named === undefined ? UNMATCHED : Number((await context.client.hget(context.keys.routes(), named)) ?? 0);
}

/** Failures that are looked for; beyond it a retry that waits is told as waiting. */
const CRASHES_LOOKED_FOR = [0, 1, 2, 11, 12];

/** Its entry in d, if it is delayed, is one of these: guessed from what is known of it, for d has no index by id. */
async function entriesOf(
  context: BrokerContext,
  { number, header, failed }: { number: string; header: EnvelopeHeader; failed: readonly string[] },
): Promise<string[]> {
  const { key = "", class: priority = DEFAULT_CLASS } = header;
  const route = await routeNumber(context, header);
  const failures = failed.flatMap((field) => (field.startsWith("error:") ? [Number(field.slice(6))] : []));
  const attempts = Math.max(0, ...failures);
  const entries: string[] = [];
  for (let attempt = Math.max(0, attempts - 1); attempt <= attempts + 1; attempt++) {
    for (const crashes of CRASHES_LOOKED_FOR) {
      const element = `${priority}:${number}:${attempt}:${crashes}:${route}`;
      entries.push(`J${element}\0${key}`, `J${element}!\0${key}`);
    }
  }
  return entries;
}

/** When it is due, if it is delayed. */
async function dueOf(context: BrokerContext, queue: string, entries: readonly string[]): Promise<number | undefined> {
  const reply = await callBroker(context, { script: DUE, keys: [context.keys.queue(queue)], args: entries });
  const due = Number(text(reply as Reply));
  return reply === null || !Number.isFinite(due) ? undefined : due;
}
