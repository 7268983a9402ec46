// The checks of one queue's lines: who claims, where each key is, and that each delivery is in one place.

import type { QueueCensus } from "./doctor-census.ts";
import type { Check, Checkup } from "./doctor-checkup.ts";
import { inTurns } from "./doctor-pages.ts";
import { type Seen, seenIn } from "./doctor-places.ts";

interface KeySeen {
  /** Class of the head of its list; undefined: it has none. */
  head?: string;
  rings: number;
  class?: number;
  parked: number;
  /** Ids that somebody has claimed. */
  claimed: string[];
}

interface Copy {
  readonly place: string;
  readonly key: string;
  readonly element: string;
}

export interface Lines {
  /** Ids of the deliveries that are anywhere. */
  readonly seen: Set<number>;
  /** Those seen in more than one place. */
  readonly twice: Set<number>;
  readonly dead: Set<number>;
  /** Entries of d without a due time that nothing seemed to hold back. */
  readonly stuck: Set<string>;
}

/** Whether those who claim are registered. Knows all of them afterwards. */
export async function checkWorkers(checkup: Checkup, queue: string, census: QueueCensus): Promise<void> {
  const { client, keys } = checkup.context;
  const prefix = keys.queue(queue);
  const [registered, described] = await Promise.all([
    client.zrange(`${prefix}:wk`, "0", "-1"),
    client.hkeys(`${prefix}:wi`),
  ]);
  const wids = new Set([...census.wids, ...registered, ...described]);
  for (const wid of wids) census.wids.add(wid);
  await inTurns([...wids], (wid) => checkup.check({ script: "worker", queue, about: wid, args: [wid] }));
}

/** Reads all lines of the queue once, and checks each thing that looked wrong. */
export async function checkLines(checkup: Checkup, queue: string, census: QueueCensus): Promise<Lines> {
  const lines: Lines = { seen: new Set(), twice: new Set(), dead: new Set(), stuck: new Set() };
  const keys = new Map<string, KeySeen>();
  for await (const page of seenIn(checkup.context, queue, census)) {
    checkup.goOn();
    await inTurns(page, async (seen) => {
      note(lines, keys, seen);
      if (seen.kind === "endless" && (await checkup.probe(entryCheck(queue, seen.entry)))) lines.stuck.add(seen.entry);
      if (seen.kind === "unreadable") await checkReadable(checkup, queue, seen);
    });
  }
  const suspects = [...keys].filter(([, seen]) => isSuspect(seen));
  const wids = [...census.wids];
  await inTurns(suspects, ([key, { claimed }]) =>
    checkup.check({ script: "key", queue, about: key, args: [key, wids.length, ...wids, ...claimed.slice(0, 1000)] }),
  );
  return lines;
}

function note({ seen, twice, dead }: Lines, keys: Map<string, KeySeen>, what: Seen): void {
  if (what.kind === "delivery") {
    const { id, place, key } = what;
    const claimedOfKey = place === "claim" && key !== "";
    if (seen.has(id) && !claimedOfKey) twice.add(id);
    seen.add(id);
    if (place === "x") dead.add(id);
    if (place === "k") keyOf(keys, key).head = what.element;
    if (claimedOfKey) keyOf(keys, key).claimed.push(String(id));
  } else if (what.kind === "parked") {
    keyOf(keys, what.key).parked++;
  } else if (what.kind === "ring") {
    const key = keyOf(keys, what.key);
    key.rings++;
    key.class = what.class;
  }
}

function keyOf(keys: Map<string, KeySeen>, key: string): KeySeen {
  let seen = keys.get(key);
  if (seen === undefined) keys.set(key, (seen = { rings: 0, parked: 0, claimed: [] }));
  return seen;
}

/** A claim is looked at always: whether it is of the first deliveries shows only at one moment. */
function isSuspect({ head, rings, class: ring, parked, claimed }: KeySeen): boolean {
  if (claimed.length > 0 || head === undefined) return true;
  return rings + parked !== 1 || (rings === 1 && Number(head[0]) !== ring);
}

async function checkReadable(checkup: Checkup, queue: string, seen: Seen & { kind: "unreadable" }): Promise<void> {
  const { place, key, text } = seen;
  if (place === "claim") return; // said of its worker
  await checkup.check({ script: "entry", queue, about: text.slice(0, 200), args: [place, key, text] });
}

function entryCheck(queue: string, entry: string): Check {
  return { script: "entry", queue, about: nameOf(entry), args: ["d", "", entry] };
}

/** Whether what was held back by nothing still is: a moment ago its pause may just have been ended. */
export async function checkStuck(checkup: Checkup, queue: string, { stuck }: Lines): Promise<void> {
  await inTurns([...stuck], (entry) => checkup.check(entryCheck(queue, entry)));
}

/** What people are shown of an entry of d: the key that waits, or the delivery. */
function nameOf(entry: string): string {
  return entry.startsWith("K") ? `key ${entry.slice(1)}` : `delivery ${entry.slice(1).split(":")[1] ?? ""}`;
}

/** Reads all lines again: where the suspects are that were seen twice, and which of the missing are somewhere after all. */
export async function checkAgain(
  checkup: Checkup,
  { queue, census, lines, missing }: { queue: string; census: QueueCensus; lines: Lines; missing: Set<number> },
): Promise<void> {
  const copies = new Map<number, Copy[]>();
  for await (const page of seenIn(checkup.context, queue, census)) {
    checkup.goOn();
    for (const seen of page) {
      if (seen.kind !== "delivery") continue;
      missing.delete(seen.id);
      if (!lines.twice.has(seen.id) || seen.place === "claim" || seen.place === "x") continue;
      copies.set(seen.id, [...(copies.get(seen.id) ?? []), seen].slice(0, 100));
    }
  }
  await inTurns([...lines.twice], (id) => {
    const places = (copies.get(id) ?? []).flatMap(({ place, key, element }) => [place, key, element]);
    return checkup.check({ script: "copies", queue, about: id.toString(36), args: [id, ...places] });
  });
  lines.twice.clear();
}
