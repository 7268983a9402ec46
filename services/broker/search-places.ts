// The places where deliveries of a queue are, one after another: claims, lists, rings of keys, delayed ones, dead letters.

import type { BrokerContext } from "./connection.ts";
import { fromTail, KEYS_PAGE, PAGE, type PendingKey, readKeys, widsOf } from "./search-keys.ts";

/** `held`: it waits for other deliveries. */
export type LeafState = "claimed" | "waiting" | "delayed" | "held" | "dead";

/** One delivery as its place tells of it. */
export interface Leaf {
  readonly state: LeafState;
  readonly element: string;
  /** Ordering key; "" when there is none. */
  readonly key: string;
  /** Of a claimed one. */
  readonly wid?: string;
  readonly fence?: string;
  /** Due time of a delayed one, time of death of a dead one. */
  readonly atMs?: number;
  readonly reason?: string;
}

export type Place = (typeof PLACES)[number];
const PLACES = ["claims", "key", "w0", "w1", "w2", "w3", "r0", "r1", "r2", "r3", "delayed", "dead"] as const;

export interface Position {
  readonly place: Place;
  /** From the tail, or from the newest. */
  readonly offset: number;
  /** Of this place. */
  readonly keys: readonly PendingKey[];
}

export interface Look {
  readonly leaves: readonly Leaf[];
  /** Undefined after the last place. */
  readonly next: Position | undefined;
  /** What it took, in deliveries that were looked at. */
  readonly cost: number;
}

interface Wanted {
  readonly states?: readonly LeafState[];
  readonly key?: string;
}

const WORKERS_PAGE = 20;
/** Of a place, even if it is empty, and of a key, of which two commands read what is there. */
const PLACE_COST = 10;
const KEY_COST = 5;

export function firstPlace(wanted: Wanted): Place {
  return placesOf(wanted)[0] ?? "dead";
}

/** Places that cannot hold what is wanted are left out. */
function placesOf({ states, key }: Wanted): Place[] {
  const wants = (state: LeafState): boolean => states?.includes(state) ?? true;
  return PLACES.filter((place) => {
    if (place === "dead") return wants("dead");
    if (place === "claims") return wants("claimed") || (wants("waiting") && key === undefined);
    if (place === "key") return wants("waiting") && key !== undefined && key !== "";
    if (place === "delayed") return wants("delayed") || wants("held") || wants("waiting");
    return wants("waiting") && (key === undefined || (key === "" && place.startsWith("w")));
  });
}

interface Step {
  readonly context: BrokerContext;
  readonly prefix: string;
  readonly position: Position;
}

interface Seen {
  readonly leaves: readonly Leaf[];
  readonly keys: Position["keys"];
  /** How far this step went; 0 = the place is at its end. */
  readonly went: number;
}

/** One step: about two hundred deliveries at most. */
export async function lookAt(
  context: BrokerContext,
  queue: string,
  { position, wanted }: { position: Position; wanted: Wanted },
): Promise<Look> {
  const step = { context, prefix: context.keys.queue(queue), position };
  const places = placesOf(wanted);
  const isWanted = (leaf: Leaf): boolean => wanted.states?.includes(leaf.state) ?? true;
  if (position.keys.length > 0) {
    const { elements, keys } = await readKeys(context, step.prefix, position.keys);
    const leaves = elements.map((one): Leaf => ({ state: "waiting", ...one }));
    const cost = PLACE_COST + elements.length + KEY_COST * Math.min(KEYS_PAGE, position.keys.length);
    return { leaves: leaves.filter(isWanted), next: { ...position, keys }, cost };
  }
  const seen = await lookAtPlace(step, wanted);
  const after = places[places.indexOf(position.place) + 1];
  const offset = position.offset + seen.went;
  // Keys that are met on the way: their deliveries wait.
  const waits = wanted.key === undefined && (wanted.states?.includes("waiting") ?? true);
  const keys = waits || position.place === "key" ? seen.keys : [];
  const next: Position | undefined =
    seen.went > 0
      ? { place: position.place, offset, keys }
      : after === undefined
        ? undefined
        : { place: after, offset: 0, keys: [] };
  const cost = PLACE_COST + Math.max(seen.went, seen.leaves.length);
  return { leaves: seen.leaves.filter(isWanted), next, cost };
}

function lookAtPlace(step: Step, wanted: Wanted): Promise<Seen> {
  const { place, offset } = step.position;
  switch (place) {
    case "claims":
      return lookAtClaims(step);
    case "key":
      return Promise.resolve({ leaves: [], keys: [[wanted.key ?? "", 0, 1]], went: offset === 0 ? 1 : 0 });
    case "delayed":
      return lookAtDelayed(step);
    case "dead":
      return lookAtDead(step);
    default:
      return place.startsWith("w") ? lookAtList(step) : lookAtRing(step);
  }
}

async function lookAtClaims({ context, prefix, position }: Step): Promise<Seen> {
  const wids = (await widsOf(context, prefix)).slice(position.offset, position.offset + WORKERS_PAGE);
  const held = await Promise.all(wids.map((wid) => context.client.hgetall(`${prefix}:c:${wid}`)));
  const keys = new Set<string>();
  const leaves = held.flatMap((claims, index) =>
    Object.values(claims).map((claim): Leaf => {
      const [fence = "", element = "", ...rest] = claim.split("\0");
      const key = rest.join("\0");
      if (key !== "") keys.add(key);
      return { state: "claimed", element, key, fence, wid: wids[index] ?? "" };
    }),
  );
  return { leaves, keys: [...keys].map((key) => [key, 0, 1]), went: wids.length };
}

async function lookAtList({ context, prefix, position }: Step): Promise<Seen> {
  const elements = await fromTail(context, `${prefix}:${position.place}`, { offset: position.offset, count: PAGE });
  return {
    leaves: elements.map((element) => ({ state: "waiting", element, key: "" })),
    keys: [],
    went: elements.length,
  };
}

async function lookAtRing({ context, prefix, position }: Step): Promise<Seen> {
  const page = { offset: position.offset, count: KEYS_PAGE };
  const keys = await fromTail(context, `${prefix}:${position.place}`, page);
  return { leaves: [], keys: keys.map((key) => [key, 0, 0]), went: keys.length };
}

async function lookAtDelayed({ context, prefix, position }: Step): Promise<Seen> {
  const from = position.offset;
  const pairs = await context.client.zrevrange(`${prefix}:d`, from, from + PAGE - 1, "WITHSCORES");
  const leaves: Leaf[] = [];
  const keys: [string, number, 0][] = [];
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const [entry = "", score = ""] = [pairs[at], pairs[at + 1]];
    if (entry.startsWith("K")) keys.push([entry.slice(1), 0, 0]);
    else leaves.push(delayedLeaf(entry, score));
  }
  const held = await heldOf(context, leaves);
  return { leaves: leaves.map((leaf, index) => (held[index] ? heldLeaf(leaf) : leaf)), keys, went: pairs.length / 2 };
}

function delayedLeaf(entry: string, score: string): Leaf {
  const cut = entry.indexOf("\0");
  const atMs = Number(score); // not a number when it has no due time
  const place = { element: entry.slice(1, cut), key: entry.slice(cut + 1) };
  return Number.isFinite(atMs) ? { state: "delayed", ...place, atMs } : { state: "waiting", ...place };
}

function heldLeaf({ element, key }: Leaf): Leaf {
  return { state: "held", element, key };
}

async function heldOf(context: BrokerContext, leaves: readonly Leaf[]): Promise<boolean[]> {
  const ids = leaves.filter(({ atMs }) => atMs === undefined).map(({ element }) => element.split(":")[1] ?? "");
  if (ids.length === 0) return [];
  const held = await context.client.hmget(`${context.keys.tag}:held`, ...ids);
  const places = new Map(ids.map((id, index) => [id, typeof held[index] === "string"]));
  return leaves.map(({ element }) => places.get(element.split(":")[1] ?? "") ?? false);
}

async function lookAtDead({ context, prefix, position }: Step): Promise<Seen> {
  const from = position.offset;
  const pairs = await context.client.zrevrange(`${prefix}:x`, from, from + PAGE - 1, "WITHSCORES");
  const ids = pairs.filter((_, at) => at % 2 === 0);
  const letters = ids.length === 0 ? [] : await context.client.hmget(`${prefix}:xe`, ...ids);
  const leaves = letters.flatMap((letter, index): Leaf[] => {
    if (typeof letter !== "string") return [];
    const [element = "", reason = "", ...key] = letter.split("\0");
    return [{ state: "dead", element, reason, key: key.join("\0"), atMs: Number(pairs[2 * index + 1]) }];
  });
  return { leaves, keys: [], went: ids.length };
}
