// What one thread tells people of itself: its slots, its heap, and what has begun in it.

import type { RunVitals, ThreadVitals } from "../broker/vitals.ts";
import type { ActiveRun } from "./active-run.ts";
import type { ThreadKind } from "./protocol.ts";
import type { Started } from "./slots.ts";

/** Of one thread: what is told is small, whatever the slots. */
const RUNS_MAX = 32;

export interface Told {
  readonly lane: { readonly kind: ThreadKind; readonly index: number };
  readonly state: ThreadVitals["state"];
  /** By slot: what is there, and its mark where it has begun. */
  readonly held: readonly ({ readonly run: ActiveRun; readonly started: Started | undefined } | undefined)[];
  readonly heapBytes: number | undefined;
  /** Of the server's clock over this machine's. */
  readonly aheadMs: number;
}

export function threadVitals({ lane, state, held, heapBytes, aheadMs }: Told): ThreadVitals {
  const runs = held
    .flatMap((slot): RunVitals[] => {
      const started = slot?.started;
      const claim = started && slot?.run.claimOf(started.serial);
      if (claim === undefined || started === undefined) return [];
      return [[claim.id, started.route ?? 0, Math.round(started.sinceMs + aheadMs)]];
    })
    .toSorted(([, , a], [, , b]) => a - b);
  return {
    thread: lane.kind === "quarantine" ? lane.kind : `${lane.kind}-${lane.index}`,
    state,
    slots: held.length,
    busy: held.filter((slot) => slot !== undefined).length,
    ...(heapBytes !== undefined && { heapBytes }),
    runs: runs.slice(0, RUNS_MAX),
  };
}
