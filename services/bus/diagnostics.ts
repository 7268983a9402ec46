// How the bus stands in this process: what is held, what is read, what waits, what was refused.

import type { Bus } from "./bus.ts";
import type { Door, Kind } from "./door.ts";

export interface ChannelDiagnostics {
  /** As it is stored: with its site. */
  readonly channel: string;
  readonly readers: number;
  readonly epoch: string;
  readonly offset: number;
}

export interface Diagnostics {
  /** Held over HTTP. */
  readonly connections: number;
  readonly byFace: Readonly<Partial<Record<Kind, number>>>;
  /** Everything that reads, functions of this process too. */
  readonly streams: number;
  readonly channels: readonly ChannelDiagnostics[];
  /** Published and not stored yet. */
  readonly waiting: number;
  /** Why streams were closed. */
  readonly closed: Readonly<Record<string, number>>;
  /** By limit. */
  readonly refused: Readonly<Record<string, number>>;
  /** Readers that could not be told everything. */
  readonly gaps: number;
  /** From publish to the socket, counted by upper bound in ms. */
  readonly lag: readonly { readonly upToMs: number; readonly messages: number }[];
}

const CHANNELS_MAX = 1000;

export function diagnose(bus: Bus, door: Door): Diagnostics {
  const channels: ChannelDiagnostics[] = [];
  for (const [channel, { subs, at }] of bus.feeds) {
    if (channels.length >= CHANNELS_MAX) break;
    channels.push({ channel, readers: subs.size, epoch: at?.epoch ?? "", offset: at?.offset ?? 0 });
  }
  return {
    connections: door.limits.connections,
    byFace: Object.fromEntries(door.held),
    streams: bus.streams.size,
    channels,
    waiting: bus.publisher.waiting,
    closed: Object.fromEntries(bus.closed),
    refused: Object.fromEntries(door.limits.refused),
    gaps: bus.gaps,
    lag: [],
  };
}
