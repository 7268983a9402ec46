// What several processes tell of their bus, as one: sums, and what has become of it lately. Most of what they tell grows from the
// moment they began, so that a trouble of last week would be seen forever, and one of now would drown in what was before.

import type { BusNode } from "../../admin/api-bot.ts";
import { duration } from "../format.ts";

export type Counts = Readonly<Record<string, number>>;
type Buckets = BusNode["lag"];

export interface ReadChannel {
  readonly channel: string;
  readonly readers: number;
  /** At how many nodes. */
  readonly nodes: number;
}

/** What grows: since they began, or since an earlier moment. */
export interface Grown {
  readonly published: number;
  readonly refused: Counts;
  readonly closed: Counts;
  readonly gaps: number;
  readonly lag: Buckets;
}

export interface Held {
  readonly connections: number;
  readonly streams: number;
  readonly byFace: Counts;
  readonly waiting: number;
  /** Nodes whose last publish was not answered. */
  readonly away: number;
}

export function heldOf(nodes: readonly BusNode[]): Held {
  return {
    connections: sum(nodes, ({ connections }) => connections),
    streams: sum(nodes, ({ streams }) => streams),
    byFace: added(nodes.map(({ byFace }) => byFace)),
    waiting: sum(nodes, ({ waiting }) => waiting),
    away: nodes.filter(({ away }) => away).length,
  };
}

export function grownOf(nodes: readonly Grown[]): Grown {
  const [first] = nodes;
  return {
    published: sum(nodes, ({ published }) => published),
    refused: added(nodes.map(({ refused }) => refused)),
    closed: added(nodes.map(({ closed }) => closed)),
    gaps: sum(nodes, ({ gaps }) => gaps),
    lag: (first?.lag ?? []).map(({ upToMs }, at) => {
      return { upToMs, messages: sum(nodes, ({ lag }) => lag[at]?.messages ?? 0) };
    }),
  };
}

/** Those with most readers first. Each node tells of its own most read ones only, so the sums are of those. */
export function channelsOf(nodes: readonly BusNode[], most: number): ReadChannel[] {
  const all = nodes.flatMap(({ channels }) => channels);
  const rows = [...Map.groupBy(all, ({ channel }) => channel)].map(([channel, told]): ReadChannel => {
    const readers = told.reduce((total, one) => total + one.readers, 0);
    return { channel, readers, nodes: told.length };
  });
  return rows.sort((a, b) => b.readers - a.readers || (a.channel < b.channel ? -1 : 1)).slice(0, most);
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((total, one) => total + of(one), 0);
}

function added(all: readonly Counts[]): Counts {
  const sums: Record<string, number> = {};
  for (const counts of all) for (const [name, value] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + value;
  return sums;
}

export function totalOf(counts: Counts): number {
  return sum(Object.values(counts), (value) => value);
}

export function messagesOf(lag: Buckets): number {
  return sum(lag, ({ messages }) => messages);
}

/** So many of them were not later than this; null: later than the last bound. Undefined of none. */
export function lagOf(lag: Buckets, share: number): number | null | undefined {
  const all = messagesOf(lag);
  let seen = 0;
  for (const { upToMs, messages } of lag) if ((seen += messages) >= all * share && all > 0) return upToMs;
  return undefined;
}

/** "≤ 10 ms": a bound in words. */
export function boundText(upToMs: number | null, lag: Buckets): string {
  return upToMs === null ? `> ${duration(lag.at(-2)?.upToMs ?? 0)}` : `≤ ${duration(upToMs)}`;
}

export function lagText(lag: Buckets, share: number): string | undefined {
  const ms = lagOf(lag, share);
  return ms === undefined ? undefined : boundText(ms, lag);
}

function less(now: Counts, then: Counts): Counts {
  return Object.fromEntries(Object.entries(now).map(([name, value]) => [name, value - (then[name] ?? 0)]));
}

interface Moment {
  readonly atMs: number;
  readonly told: Grown;
}

const KEPT_MS = 60_000;

/** What each node told within the last minute. Told again and again, it says what has been added since. */
export class Lately {
  readonly #moments = new Map<string, Moment[]>();

  hear(nodes: readonly BusNode[]): void {
    for (const { id, at, published, refused, closed, gaps, lag } of nodes) {
      const moments = this.#moments.get(id) ?? [];
      const atMs = Date.parse(at);
      if ((moments.at(-1)?.atMs ?? 0) >= atMs) continue;
      moments.push({ atMs, told: { published, refused, closed, gaps, lag } });
      // The one before the minute is where it begins.
      while (moments.length > 2 && (moments[1]?.atMs ?? 0) < atMs - KEPT_MS) moments.shift();
      this.#moments.set(id, moments);
    }
    const living = new Set(nodes.map(({ id }) => id));
    for (const id of this.#moments.keys()) if (!living.has(id)) this.#moments.delete(id);
  }

  /** Undefined until it has told twice. */
  of({ id }: Pick<BusNode, "id">): (Grown & { readonly ms: number }) | undefined {
    const moments = this.#moments.get(id) ?? [];
    const [first, last] = [moments[0], moments.at(-1)];
    if (first === undefined || last === undefined || first === last) return undefined;
    const { told: then } = first;
    const { told: now } = last;
    return {
      ms: last.atMs - first.atMs,
      published: now.published - then.published,
      refused: less(now.refused, then.refused),
      closed: less(now.closed, then.closed),
      gaps: now.gaps - then.gaps,
      lag: now.lag.map(({ upToMs, messages }, at) => ({ upToMs, messages: messages - (then.lag[at]?.messages ?? 0) })),
    };
  }
}
