// Everything that is in line in a queue, place after place, page by page. A delivery that moves meanwhile may be given twice
// or not at all; one that stays is given.

import type { BrokerContext } from "./connection.ts";
import type { QueueCensus } from "./doctor-census.ts";
import { hashPages, listPages, sortedPages } from "./doctor-pages.ts";

const CLASSES = [0, 1, 2, 3] as const;
type Class = (typeof CLASSES)[number];

export type Place = "d" | `w${Class}` | "k" | "claim" | "x";

export type Seen =
  /** A delivery. Of a list, the head of each key comes last. */
  | {
      readonly kind: "delivery";
      readonly place: Place;
      readonly id: number;
      readonly key: string;
      readonly element: string;
    }
  | { readonly kind: "ring"; readonly class: Class; readonly key: string }
  | { readonly kind: "parked"; readonly key: string }
  | { readonly kind: "unreadable"; readonly place: Place; readonly key: string; readonly text: string }
  /** An entry of d without a due time. */
  | { readonly kind: "endless"; readonly entry: string };

const ELEMENT = /^[0-3]:(\d{1,16}):\d+:\d+:\d+!?$/;
const KEYS_AT_ONCE = 100;
const SHORT = 100;

export async function* seenIn(context: BrokerContext, queue: string, census: QueueCensus): AsyncGenerator<Seen[]> {
  const prefix = context.keys.queue(queue);
  for await (const page of sortedPages(context, `${prefix}:d`))
    yield page.flatMap(([entry, due]) => seenDue(entry, due));
  for (const c of CLASSES) {
    const place = `w${c}` as const;
    for await (const page of listPages(context, `${prefix}:${place}`))
      yield page.map((text) => seenText(place, "", text));
    for await (const page of listPages(context, `${prefix}:r${c}`))
      yield page.map((key): Seen => ({ kind: "ring", class: c, key }));
  }
  const keys = [...census.keys];
  for (let at = 0; at < keys.length; at += KEYS_AT_ONCE) {
    yield* seenInKeys(context, prefix, keys.slice(at, at + KEYS_AT_ONCE));
  }
  for (const wid of census.wids) {
    for await (const page of hashPages(context, `${prefix}:c:${wid}`))
      yield page.map(([, claim]) => {
        const [, element = "", ...key] = claim.toString().split("\0");
        return seenText("claim", key.join("\0"), element);
      });
  }
  for await (const page of sortedPages(context, `${prefix}:x`))
    yield page.map(([id]): Seen => ({ kind: "delivery", place: "x", id: Number(id), key: "", element: "" }));
}

async function* seenInKeys(context: BrokerContext, prefix: string, keys: readonly string[]): AsyncGenerator<Seen[]> {
  const tails = await Promise.all(keys.map((key) => context.client.lrange(`${prefix}:k:${key}`, -SHORT, -1)));
  for (const [index, key] of keys.entries()) {
    const tail = tails[index] ?? [];
    if (tail.length < SHORT) yield tail.toReversed().map((text) => seenText("k", key, text));
    else
      for await (const page of listPages(context, `${prefix}:k:${key}`))
        yield page.map((text) => seenText("k", key, text));
  }
}

function seenText(place: Place, key: string, text: string): Seen {
  const id = ELEMENT.exec(text)?.[1];
  return id === undefined
    ? { kind: "unreadable", place, key, text }
    : { kind: "delivery", place, id: Number(id), key, element: text };
}

function seenDue(entry: string, due: string): Seen[] {
  const endless: Seen[] = due === "inf" ? [{ kind: "endless", entry }] : [];
  if (entry.startsWith("K") && entry.length > 1) return [{ kind: "parked", key: entry.slice(1) }, ...endless];
  const cut = entry.indexOf("\0");
  const seen = seenText("d", entry.slice(cut + 1), entry.startsWith("J") && cut > 0 ? entry.slice(1, cut) : "");
  return seen.kind === "unreadable" ? [{ ...seen, text: entry }] : [seen, ...endless];
}
