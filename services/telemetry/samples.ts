// Figures of queues and pools as Redis has them now -> samples of metrics, a bounded number of them.

import type { METRICS } from "./metrics.ts";

/** Metrics that every pod tells alike. */
export type SharedName = Extract<
  keyof typeof METRICS,
  `antiphon_queue${string}` | `antiphon_outbox${string}` | `antiphon_workers${string}`
>;

/** What the figures are made of. */
export interface Load {
  readonly queues: readonly (Depth & {
    readonly oldestMs: number;
    readonly drainSeconds: number;
    readonly arrivalsPerSecond: number;
    /** Deliveries wait and no living worker serves it. */
    readonly isUnserved: boolean;
  })[];
  readonly outboxes: readonly (Depth & { readonly oldestMs: number })[];
  readonly pools: readonly { readonly name: string; readonly required: number; readonly workers: number }[];
}

interface Depth {
  readonly name: string;
  readonly ready: number;
  readonly claimed: number;
  readonly delayed: number;
  readonly dead: number;
}

export interface Sample {
  readonly name: SharedName;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Each queue is nine series in every pod. */
const QUEUES_MAX = 200;
const STATES = ["ready", "claimed", "delayed", "dead"] as const;

export function samplesOf({ queues, outboxes, pools }: Load): Sample[] {
  const [told, said] = [queues.slice(0, QUEUES_MAX), outboxes.slice(0, QUEUES_MAX)];
  const leftOut = queues.length - told.length + outboxes.length - said.length;
  return [
    ...told.flatMap(({ name: queue, oldestMs, drainSeconds, arrivalsPerSecond, isUnserved, ...depth }): Sample[] => [
      ...STATES.map((state) => sample("antiphon_queue_depth", { queue, state }, depth[state])),
      sample("antiphon_queue_oldest_age_seconds", { queue }, oldestMs / 1000),
      sample("antiphon_queue_drain_seconds", { queue }, drainSeconds),
      sample("antiphon_queue_arrivals_per_second", { queue }, arrivalsPerSecond),
      sample("antiphon_queue_unserved", { queue }, Number(isUnserved)),
    ]),
    ...said.flatMap(({ name: unit, oldestMs, ...depth }): Sample[] => [
      ...STATES.map((state) => sample("antiphon_outbox_depth", { unit, state }, depth[state])),
      sample("antiphon_outbox_oldest_age_seconds", { unit }, oldestMs / 1000),
    ]),
    ...pools.flatMap(({ name: pool, required, workers }) => [
      sample("antiphon_workers_required", { pool }, required),
      sample("antiphon_workers", { pool }, workers),
    ]),
    sample("antiphon_queues_left_out", {}, leftOut),
  ];
}

function sample(name: SharedName, labels: Sample["labels"], value: number): Sample {
  return { name, labels, value };
}
