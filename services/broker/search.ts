// Looks for deliveries in queues by what is known of them: a bounded amount per call, and a cursor to go on from there.
//
// Lists are read from their tails, so that what is taken meanwhile moves nothing that is still to be looked at. What is
// added or moves from one place to another meanwhile may be met twice, or not at all.

import { publicId } from "../runtime/ids.ts";
import { type BrokerContext, serverNowMs, translate } from "./connection.ts";
import { claimedAtMs, decodeElement, type Element, enqueuedAtMs, type EnvelopeHeader } from "./delivery.ts";
import { readEnvelopes } from "./search-bodies.ts";
import {
  firstPlace,
  type Leaf,
  type LeafState,
  type Look,
  lookAt,
  type Place,
  type Position,
} from "./search-places.ts";
import { readRoutes } from "./routes.ts";

export type { LeafState as DeliveryState } from "./search-places.ts";

export interface SearchQuery {
  /** Names of queues, in the order in which they are looked at. */
  readonly queues: readonly string[];
  /** All unless given. */
  readonly states?: readonly LeafState[];
  /** Id of a route, or name of a handler for all of its routes. */
  readonly route?: string;
  /** Ordering key. */
  readonly key?: string;
  /** One of its tags, or the tag of its queue. */
  readonly tag?: string;
  /** In its body, of which the first 64 KiB are looked at. */
  readonly text?: string;
  /** In its state for longer than this: see `sinceMs`. */
  readonly olderThanMs?: number;
  readonly youngerThanMs?: number;
  /** Most answers of one call. */
  readonly limit: number;
  /** Where an earlier call ended. */
  readonly cursor?: string;
}

export interface FoundDelivery {
  /** The public id that the sender was told. */
  readonly id: string;
  /** Decimal. */
  readonly number: string;
  readonly queue: string;
  readonly state: LeafState;
  readonly element: Element;
  /** Ordering key; "" when there is none. */
  readonly key: string;
  /** Undefined when the envelope cannot be read. */
  readonly header: EnvelopeHeader | undefined;
  /** At most the first 64 KiB. */
  readonly payload: Buffer;
  /** ms by the server's clock. Claimed: when it was taken; dead: when it failed for good; else when it was enqueued. */
  readonly sinceMs: number;
  /** Of a delayed one. */
  readonly dueMs?: number;
  /** Of a claimed one: its worker's id. */
  readonly wid?: string;
  /** Of a dead one. */
  readonly reason?: string;
}

export interface SearchPage {
  readonly found: readonly FoundDelivery[];
  /** Undefined at the end. */
  readonly cursor: string | undefined;
}

/** Of one call, in deliveries that are looked at; its last step may go some two hundred beyond it. */
const COST_MAX = 1000;

/** At most `limit` deliveries that fit; maybe fewer, and none at all, where there is a cursor to go on from. */
export async function searchDeliveries(context: BrokerContext, query: SearchQuery): Promise<SearchPage> {
  try {
    return await search(context, query);
  } catch (error) {
    throw translate(error);
  }
}

async function search(context: BrokerContext, query: SearchQuery): Promise<SearchPage> {
  const [fits, nowMs] = await Promise.all([elementFilter(context, query), serverNowMs(context)]);
  const found: FoundDelivery[] = [];
  let at = query.cursor === undefined ? startOf(query, 0) : readCursor(query);
  let cost = 0;
  while (at !== undefined && cost < COST_MAX && found.length < query.limit) {
    const queue = query.queues[at.queue];
    if (queue === undefined) break;
    const look: Look = await lookAt(context, queue, { position: at.position, wanted: query });
    const { leaves, next } = look;
    cost += look.cost;
    const candidates = leaves.slice(at.skip).filter((leaf) => fits(leaf) && ageFits(leaf, nowMs, query));
    const matches = await readMatches(context, { queue, leaves: candidates, query });
    const room = query.limit - found.length;
    found.push(...matches.slice(0, room).map(({ delivery }) => delivery));
    const last = matches.length > room ? matches[room - 1] : undefined;
    if (last !== undefined) at = { ...at, skip: leaves.indexOf(last.leaf) + 1 };
    else at = next === undefined ? startOf(query, at.queue + 1) : { queue: at.queue, position: next, skip: 0 };
  }
  return { found, cursor: at === undefined ? undefined : writeCursor(query, at) };
}

interface Cursor {
  /** Index in the query's queues. */
  readonly queue: number;
  readonly position: Position;
  /** Of the leaves at this position, those that earlier calls have answered or passed. */
  readonly skip: number;
}

function startOf(query: SearchQuery, queue: number): Cursor | undefined {
  if (queue >= query.queues.length) return undefined;
  return { queue, position: { place: firstPlace(query), offset: 0, keys: [] }, skip: 0 };
}

/** With the queue's name, for there may be more queues by the next call. */
function writeCursor({ queues }: SearchQuery, { queue, position, skip }: Cursor): string {
  const parts = [queues[queue], position.place, position.offset, position.keys, skip];
  return Buffer.from(JSON.stringify(parts)).toString("base64url");
}

/** A cursor that is none of ours, or of a queue that is gone, finds nothing. */
function readCursor({ queues, cursor = "" }: SearchQuery): Cursor | undefined {
  try {
    const parts = JSON.parse(Buffer.from(cursor, "base64url").toString()) as CursorParts;
    const [name, place, offset, keys, skip] = parts;
    return queues.includes(name) ? { queue: queues.indexOf(name), position: { place, offset, keys }, skip } : undefined;
  } catch {
    return undefined;
  }
}

type CursorParts = [queue: string, place: Place, offset: number, keys: Position["keys"], skip: number];

async function elementFilter(context: BrokerContext, query: SearchQuery): Promise<(leaf: Leaf) => boolean> {
  const { route, key } = query;
  const fitsKey = (leaf: Leaf): boolean => key === undefined || leaf.key === key;
  if (route === undefined) return fitsKey;
  const numbers = new Set<number>();
  for (const [number, id] of await readRoutes(context))
    if (id === route || id.startsWith(`${route}.`)) numbers.add(number);
  return (leaf) => fitsKey(leaf) && numbers.has(decodeElement(leaf.element).route);
}

function ageFits(leaf: Leaf, nowMs: number, { olderThanMs, youngerThanMs }: SearchQuery): boolean {
  const ageMs = nowMs - sinceOf(leaf);
  return (olderThanMs === undefined || ageMs > olderThanMs) && (youngerThanMs === undefined || ageMs < youngerThanMs);
}

function sinceOf(leaf: Leaf): number {
  if (leaf.state === "dead") return leaf.atMs ?? 0;
  return leaf.fence === undefined ? enqueuedAtMs(decodeElement(leaf.element).id) : claimedAtMs(leaf.fence);
}

interface Match {
  readonly leaf: Leaf;
  readonly delivery: FoundDelivery;
}

async function readMatches(
  context: BrokerContext,
  { queue, leaves, query }: { queue: string; leaves: readonly Leaf[]; query: SearchQuery },
): Promise<Match[]> {
  const ids = leaves.map((leaf) => decodeElement(leaf.element).id);
  const envelopes = await readEnvelopes(context, queue, ids);
  return leaves.flatMap((leaf, index) => {
    const envelope = envelopes[index];
    if (envelope === undefined) return []; // settled or deleted meanwhile
    const { header, payload } = envelope;
    const tags = [...(header?.tags ?? []), ...queue.split("+").slice(1)];
    if (query.tag !== undefined && !tags.includes(query.tag)) return [];
    if (query.text !== undefined && !payload.includes(query.text)) return [];
    const element = decodeElement(leaf.element);
    const delivery: FoundDelivery = {
      id: header?.origin ?? publicId(element.id),
      number: element.id,
      queue,
      state: leaf.state,
      element,
      key: leaf.key,
      header,
      payload,
      sinceMs: sinceOf(leaf),
      ...(leaf.state === "delayed" && leaf.atMs !== undefined && { dueMs: leaf.atMs }),
      ...(leaf.wid !== undefined && { wid: leaf.wid }),
      ...(leaf.reason !== undefined && { reason: leaf.reason }),
    };
    return [{ leaf, delivery }];
  });
}
