// How the bus stands in this process: what is held, what is read, what waits, what was refused, how late messages are.

import type { Bus } from "./bus.ts";
import type { Door, Kind } from "./door.ts";
import type { LagBucket } from "./lag.ts";

export interface ChannelDiagnostics {
  /** As it is stored: with its site. */
  readonly channel: string;
  readonly readers: number;
  readonly epoch: string;
  readonly offset: number;
}

/** `page`: of parts with a page of their own, as the web chat; `inside`: functions of this process. */
export type ByFace = Readonly<Partial<Record<Kind | "page" | "inside", number>>>;

/** What grows does so since the process began. */
export interface BusFigures {
  /** Held over HTTP. */
  readonly connections: number;
  readonly byFace: ByFace;
  /** Everything that reads. */
  readonly streams: number;
  /** That somebody reads. */
  readonly channelCount: number;
  /** By this process' own calls; what handlers publish is written with their runs. */
  readonly published: number;
  /** Published and not stored yet. */
  readonly waiting: number;
  /** The server did not answer the last publish. */
  readonly away: boolean;
  /** Readers that could not be told everything. */
  readonly gaps: number;
  /** Why streams were closed: ended, slow, revoked; or left. */
  readonly closed: Readonly<Record<string, number>>;
  /** By limit. */
  readonly refused: Readonly<Record<string, number>>;
  /** From the server to the socket. */
  readonly lag: readonly LagBucket[];
  readonly lagMs: { readonly messages: number; readonly sum: number };
  readonly upSeconds: number;
}

export interface Diagnostics extends BusFigures {
  /** Those with the most readers first. */
  readonly channels: readonly ChannelDiagnostics[];
}

export interface Looking {
  readonly bus: Bus;
  readonly door: Door;
}

export function busFigures({ bus, door }: Looking): BusFigures {
  const { lag, feeds, publisher, published, gaps, closed, upMs } = bus;
  return {
    connections: door.limits.connections,
    byFace: byFace({ bus, door }),
    streams: bus.streams.size,
    channelCount: feeds.size,
    published,
    waiting: publisher.waiting,
    away: publisher.isAway,
    gaps,
    closed: Object.fromEntries(closed),
    refused: Object.fromEntries(door.limits.refused),
    lag: lag.buckets,
    lagMs: { messages: lag.messages, sum: Math.round(lag.sumMs) },
    upSeconds: Math.round(upMs / 1000),
  };
}

export function diagnose(looking: Looking, channelsMax: number): Diagnostics {
  return { ...busFigures(looking), channels: mostRead(looking.bus, channelsMax) };
}

function byFace({ bus, door }: Looking): ByFace {
  const held = [...door.held].filter(([, count]) => count > 0);
  let inside = 0;
  for (const { reader } of bus.streams) if (reader.isOurs === true) inside++;
  const page = bus.streams.size - inside - held.reduce((sum, [, count]) => sum + count, 0);
  return { ...Object.fromEntries(held), ...(page > 0 && { page }), ...(inside > 0 && { inside }) };
}

/** In one pass: there may be very many. */
function mostRead(bus: Bus, max: number): ChannelDiagnostics[] {
  const most: ChannelDiagnostics[] = [];
  for (const [channel, { subs, at }] of bus.feeds) {
    const last = most.at(-1);
    if (most.length >= max && last !== undefined && last.readers >= subs.size) continue;
    const place = most.findLastIndex(({ readers }) => readers >= subs.size) + 1;
    most.splice(place, 0, { channel, readers: subs.size, epoch: at?.epoch ?? "", offset: at?.offset ?? 0 });
    if (most.length > max) most.pop();
  }
  return most;
}
