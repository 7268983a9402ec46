// The pods that work, summed of what is registered: one serves several queues, maybe in several processes. Pure.

import type { WorkerFacts } from "./claims.ts";

/** One worker in one queue. */
export interface Registered {
  readonly queue: string;
  readonly pod: string;
  /** Deliveries that it has taken there and not finished. */
  readonly claimed: number;
  readonly facts?: WorkerFacts | undefined;
}

export interface Pod {
  readonly pod: string;
  readonly queues: readonly string[];
  readonly claimed: number;
  /** Of those that say so: what else is here is theirs, and absent where none does. */
  readonly processes: readonly string[];
  readonly pool?: string;
  readonly slots?: number;
  readonly threads?: number;
  readonly startedAtMs?: number;
}

/** A worker's id in one queue is its pod and something random. */
export function podOf(wid: string): string {
  return wid.slice(0, wid.lastIndexOf("."));
}

/** By their names. */
export function podsOf(registered: readonly Registered[]): Pod[] {
  return [...Map.groupBy(registered, ({ pod }) => pod)]
    .map(([pod, served]) => ({
      pod,
      queues: [...new Set(served.map(({ queue }) => queue))],
      claimed: served.reduce((sum, { claimed }) => sum + claimed, 0),
      ...sizeOf(served),
    }))
    .sort((a, b) => (a.pod < b.pod ? -1 : 1));
}

function sizeOf(served: readonly Registered[]): Omit<Pod, "pod" | "queues" | "claimed"> {
  const processes = new Map(served.flatMap(({ facts }) => (facts === undefined ? [] : [[facts.process, facts]])));
  const all = [...processes.values()];
  const [first] = all;
  if (first === undefined) return { processes: [] };
  return {
    processes: [...processes.keys()],
    ...(first.pool !== undefined && { pool: first.pool }),
    slots: all.reduce((sum, { slots }) => sum + slots, 0),
    threads: all.reduce((sum, { threads }) => sum + threads, 0),
    startedAtMs: Math.min(...all.map(({ startedAtMs }) => startedAtMs)),
  };
}
