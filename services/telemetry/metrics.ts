// The one list of metrics, what they are now, and their text for Prometheus. Nothing is loaded before somebody scrapes.
//
// Queue figures come from Redis, so every pod tells the same ones: aggregate them with max, never with sum.

import type { Gauge, Registry } from "prom-client";

export interface MetricRow {
  readonly type: "gauge";
  readonly labels: readonly string[];
  /** One sentence for an operator. */
  readonly help: string;
}

export const METRICS = {
  antiphon_queue_depth: {
    type: "gauge",
    labels: ["queue", "state"],
    help: "Deliveries in a queue; state is ready, claimed, delayed or dead.",
  },
  antiphon_queue_oldest_age_seconds: {
    type: "gauge",
    labels: ["queue"],
    help: "For how long the oldest delivery that is next in line has been ready. Alert on this.",
  },
  antiphon_queue_drain_seconds: {
    type: "gauge",
    labels: ["queue"],
    help: "Until what waits and runs is done by the workers that there are; +Inf when there are none.",
  },
  antiphon_workers_required: {
    type: "gauge",
    labels: ["pool"],
    help: "Workers that a pool should have for the work there is. Scale on this.",
  },
  antiphon_workers: {
    type: "gauge",
    labels: ["pool"],
    help: "Workers of a pool that live.",
  },
  antiphon_queues_left_out: {
    type: "gauge",
    labels: [],
    help: "Queues of which nothing is told here, because there are more than 200.",
  },
} as const satisfies Record<string, MetricRow>;

export type MetricName = keyof typeof METRICS;

/** What the figures are made of. */
export interface Load {
  readonly queues: readonly {
    readonly name: string;
    readonly ready: number;
    readonly claimed: number;
    readonly delayed: number;
    readonly dead: number;
    readonly oldestMs: number;
    readonly drainSeconds: number;
  }[];
  readonly pools: readonly { readonly name: string; readonly required: number; readonly workers: number }[];
}

export interface Sample {
  readonly name: MetricName;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Each queue is seven series in every pod. */
const QUEUES_MAX = 200;
const STATES = ["ready", "claimed", "delayed", "dead"] as const;

/** All metrics as they are now. */
export function samplesOf({ queues, pools }: Load): Sample[] {
  const told = queues.slice(0, QUEUES_MAX);
  return [
    ...told.flatMap(({ name: queue, oldestMs, drainSeconds, ...depth }): Sample[] => [
      ...STATES.map((state): Sample => sample("antiphon_queue_depth", { queue, state }, depth[state])),
      sample("antiphon_queue_oldest_age_seconds", { queue }, oldestMs / 1000),
      sample("antiphon_queue_drain_seconds", { queue }, drainSeconds),
    ]),
    ...pools.flatMap(({ name: pool, required, workers }) => [
      sample("antiphon_workers_required", { pool }, required),
      sample("antiphon_workers", { pool }, workers),
    ]),
    sample("antiphon_queues_left_out", {}, queues.length - told.length),
  ];
}

function sample(name: MetricName, labels: Sample["labels"], value: number): Sample {
  return { name, labels, value };
}

export interface MetricsText {
  readonly contentType: string;
  readonly body: string;
}

/** Of this process; what Node tells of a heap and a loop is of the thread in which this is called. */
export class Metrics {
  #opened: Promise<Opened> | undefined;

  /** `samples` undefined: nobody knows them now, and none is told, for an old figure is a wrong one. */
  async text(samples: readonly Sample[] | undefined): Promise<MetricsText> {
    this.#opened ??= open();
    const { registry, gauges } = await this.#opened;
    for (const gauge of gauges.values()) gauge.reset();
    for (const { name, labels, value } of samples ?? []) gauges.get(name)?.set(labels, value);
    const left = samples === undefined ? [...gauges.keys()] : [];
    const body = withoutFamilies(await registry.metrics(), left);
    return { contentType: registry.contentType, body };
  }
}

interface Opened {
  readonly registry: Registry;
  readonly gauges: ReadonlyMap<string, Gauge>;
}

/** The default of 10 ms would wake an idle process a hundred times a second. */
const LOOP_PRECISION_MS = 50;

async function open(): Promise<Opened> {
  const { collectDefaultMetrics, Gauge, Registry } = (await import("prom-client")).default;
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOP_PRECISION_MS });
  const gauges = Object.entries<MetricRow>(METRICS).map(([name, { labels, help }]) => {
    return [name, new Gauge({ name, help, labelNames: [...labels], registers: [registry] })] as const;
  });
  return { registry, gauges: new Map(gauges) };
}

/** A gauge without labels is 0 where it was never set. */
function withoutFamilies(text: string, names: readonly string[]): string {
  if (names.length === 0) return text;
  const families = text.split(/^(?=# HELP )/m);
  return families.filter((family) => !names.some((name) => family.startsWith(`# HELP ${name} `))).join("");
}
