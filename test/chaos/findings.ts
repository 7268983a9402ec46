// What a scenario is given and hands back, and how its figures become rows.

import type { Row } from "../bench/report.ts";
import { quantile } from "../bench/statistics.ts";

export interface ChaosOptions {
  /** services/main.ts, or what was built of it. */
  readonly entry: string;
  /** How often everything is broken, all bots together. */
  readonly times: number;
  /** Bots that are broken side by side, to save time. */
  readonly bots: number;
  /** How long what is frozen, blocked or cut off stays so. */
  readonly holdMs: number;
  /** Random kills end after so long at the latest, however many there were. */
  readonly minutesMax?: number;
  /** Says what was found so far. */
  readonly note: (text: string) => void;
}

export interface Finding {
  readonly name: string;
  /** What somebody must know to run the same again. */
  readonly conditions: readonly string[];
  readonly rows: readonly Row[];
  /** One line for each thing that must not be, whatever the figures. */
  readonly problems: readonly string[];
}

export interface Limits {
  readonly p99?: number;
  readonly max?: number;
  /** With whom it may be compared, in words. */
  readonly peer?: string;
}

/** How often, p50, p99 and the longest. */
export function distribution(name: string, values: readonly number[], limits: Limits = {}): Row[] {
  const row = (what: string, value: number, limit?: number): Row => ({
    name: `${name}, ${what}`,
    value: Math.round(value),
    unit: "ms",
    ...(limits.peer !== undefined && { peer: limits.peer }),
    ...(limit !== undefined && { reach: `≤ ${limit} ms`, holds: value <= limit }),
  });
  if (values.length === 0) return [];
  return [
    { name: `${name}, how often`, value: values.length, unit: "" },
    row("p50", quantile(values, 0.5)),
    row("p99", quantile(values, 0.99), limits.p99),
    row("longest", Math.max(...values), limits.max),
  ];
}

/** Something that must be so often. */
export function count(name: string, value: number, reach?: { readonly is?: number; readonly atMost?: number }): Row {
  const row = { name, value, unit: "" };
  if (reach?.is !== undefined) return { ...row, reach: String(reach.is), holds: value === reach.is };
  if (reach?.atMost !== undefined) return { ...row, reach: `≤ ${reach.atMost}`, holds: value <= reach.atMost };
  return row;
}
