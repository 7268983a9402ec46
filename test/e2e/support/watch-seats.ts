// How often each unit changed its leader between two looks.

import type { Seat } from "../../../services/leader/seats.ts";

export interface Changes {
  readonly unit: string;
  readonly handovers: number;
  /** Leases that ran out instead. */
  readonly expiries: number;
}

export function changesOf(before: readonly Seat[], after: readonly Seat[]): Changes[] {
  return after.map(({ unit, handovers, expiries }) => {
    const earlier = before.find((seat) => seat.unit === unit);
    return {
      unit,
      handovers: handovers - (earlier?.handovers ?? 0),
      expiries: expiries - (earlier?.expiries ?? 0),
    };
  });
}

/** Of a planned change of everything: each unit moves once, and no Lease runs out. */
export function notOnce(changes: readonly Changes[]): string[] {
  return changes
    .filter(({ handovers, expiries }) => handovers !== 1 || expiries !== 0)
    .map(({ unit, handovers, expiries }) => `${unit}: ${handovers} handovers, ${expiries} Leases that ran out`);
}
