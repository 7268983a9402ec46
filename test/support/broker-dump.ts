// Reads the whole state of a small queue and checks the broker's invariant on it.

import type { BrokerContext } from "../../services/broker/connection.ts";

export interface Dump {
  /** Ids of the unkeyed lists. */
  readonly waiting: readonly string[];
  /** Keys of the rings, with the class of the ring. */
  readonly ring: readonly (readonly [key: string, ringClass: number])[];
  /** Elements of each key. */
  readonly lists: ReadonlyMap<string, readonly string[]>;
  readonly delayed: readonly { readonly id: string; readonly key: string }[];
  readonly parked: readonly string[];
  /** wid -> id -> claim text. */
  readonly claims: ReadonlyMap<string, Readonly<Record<string, string>>>;
  readonly dead: readonly string[];
  readonly bodies: ReadonlySet<string>;
  /** Registered workers. */
  readonly workers: ReadonlySet<string>;
}

export const idOf = (element: string): string => element.split(":")[1] ?? "";
export const keyOfClaim = (claim: string): string => claim.split("\0").slice(2).join("\0");

const CLASSES = [0, 1, 2, 3];

export async function dump(
  context: BrokerContext,
  queue: string,
  known: { keys: readonly string[]; wids: readonly string[] },
): Promise<Dump> {
  const p = context.keys.queue(queue);
  const pipe = context.client.pipeline();
  for (const c of CLASSES) pipe.lrange(`${p}:w${c}`, 0, -1).lrange(`${p}:r${c}`, 0, -1);
  for (const key of known.keys) pipe.lrange(`${p}:k:${key}`, 0, -1);
  for (const wid of known.wids) pipe.hgetall(`${p}:c:${wid}`);
  pipe.zrange(`${p}:d`, "0", "-1").zrange(`${p}:x`, "0", "-1").hkeys(`${p}:j`).zrange(`${p}:wk`, "0", "-1");
  const values = ((await pipe.exec()) ?? []).map(([error, value]) => {
    if (error) throw error;
    return value;
  });
  const lines = (at: number): string[] => values[at] as string[];
  const delayed: { id: string; key: string }[] = [];
  const parked: string[] = [];
  const afterLists = 8 + known.keys.length;
  const afterClaims = afterLists + known.wids.length;
  for (const entry of lines(afterClaims)) {
    if (entry.startsWith("K")) parked.push(entry.slice(1));
    else delayed.push({ id: idOf(entry.slice(1)), key: entry.slice(entry.indexOf("\0") + 1) });
  }
  return {
    waiting: CLASSES.flatMap((c) => lines(2 * c).map(idOf)),
    ring: CLASSES.flatMap((c) => lines(2 * c + 1).map((key) => [key, c] as const)),
    lists: new Map(known.keys.map((key, index) => [key, lines(8 + index)])),
    claims: new Map(known.wids.map((wid, index) => [wid, values[afterLists + index] as Record<string, string>])),
    delayed,
    parked,
    dead: lines(afterClaims + 1),
    bodies: new Set(lines(afterClaims + 2)),
    workers: new Set(lines(afterClaims + 3)),
  };
}

/** Everything that is wrong with the state: the invariant, one place per delivery, a body for each but those given. */
export function problemsOf(d: Dump, bodiless: ReadonlySet<string> = new Set()): string[] {
  const problems: string[] = [];
  for (const [key, elements] of d.lists) problems.push(...problemsOfKey(d, key, elements.map(idOf), elements[0]));
  const unkeyedClaims = [...d.claims.values()].flatMap((held) =>
    Object.entries(held)
      .filter(([, claim]) => keyOfClaim(claim) === "")
      .map(([id]) => id),
  );
  const keyed = [...d.lists.values()].flat().map(idOf);
  const places = [...d.waiting, ...unkeyedClaims, ...keyed, ...d.delayed.map((entry) => entry.id), ...d.dead];
  const seen = new Set<string>();
  for (const id of places) {
    if (seen.has(id)) problems.push(`${id} is in two places`);
    seen.add(id);
    if (!d.bodies.has(id) && !bodiless.has(id)) problems.push(`${id} has no body`);
  }
  for (const id of d.bodies) if (!seen.has(id)) problems.push(`${id} is nowhere`);
  return problems;
}

function problemsOfKey(d: Dump, key: string, ids: readonly string[], head: string | undefined): string[] {
  const problems: string[] = [];
  const rings = d.ring.filter(([name]) => name === key);
  const holders = [...d.claims].filter(([, held]) => Object.values(held).some((claim) => keyOfClaim(claim) === key));
  const places = rings.length + holders.length + d.parked.filter((name) => name === key).length;
  if (places !== (ids.length > 0 ? 1 : 0)) {
    problems.push(
      `key ${key} with ${ids.length} elements is in ${rings.length} rings, ${holders.length} claims, parked ${places - rings.length - holders.length}`,
    );
  }
  if (head && rings[0] && Number(head[0]) !== rings[0][1]) problems.push(`key ${key} is in the ring of another class`);
  for (const [wid, held] of holders) {
    const mine = ids.filter((id) => id in held);
    if (mine.some((id, index) => ids[index] !== id)) problems.push(`${wid} holds of ${key} what is no prefix`);
  }
  return problems;
}

/** What one step must not do: wake the dead, or touch a key other than by taking a prefix and adding at the tail. */
export function stepProblems(before: Dump, after: Dump): string[] {
  const problems: string[] = [];
  for (const [wid, held] of after.claims) {
    if (before.claims.has(wid) && !before.workers.has(wid) && after.workers.has(wid))
      problems.push(`${wid} is back from the dead`);
    if (!after.workers.has(wid) && Object.keys(held).length > 0)
      problems.push(`${wid} holds claims that nobody would reap`);
  }
  for (const [key, elements] of after.lists) {
    const old = (before.lists.get(key) ?? []).map(idOf);
    const now = elements.map(idOf);
    const stayed = old.filter((id) => now.includes(id));
    if (old.slice(old.length - stayed.length).join() !== stayed.join())
      problems.push(`key ${key}: the middle of its list went`);
    if (now.slice(0, stayed.length).join() !== stayed.join())
      problems.push(`key ${key}: ${old.join()} became ${now.join()}`);
  }
  return problems;
}

/** Whether what counts against the limit of route 1, to which everything belongs, is what is claimed. */
export async function limitProblems(context: BrokerContext, now: Dump, most: number): Promise<string[]> {
  const running = [...now.claims.values()].reduce((sum, held) => sum + Object.keys(held).length, 0);
  const counted = await context.client.scard(`${context.keys.tag}:l:r1`);
  const problems = running > most ? [`${running} run, ${most} may`] : [];
  return counted === running ? problems : [...problems, `${running} run, ${counted} are counted`];
}

/** Keys of all queues by these patterns. */
export async function leftOver(context: BrokerContext, patterns: readonly string[]): Promise<string[]> {
  const found = await Promise.all(patterns.map((pattern) => context.client.keys(`${context.keys.tag}:${pattern}`)));
  return found.flat();
}
