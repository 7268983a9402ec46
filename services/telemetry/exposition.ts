// /metrics: the meter of this process and the figures from Redis as text for Prometheus, with what Node says of itself.
// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format

import type { Registry } from "prom-client";
import { VERSION } from "../runtime/version.ts";
import type { Family, Meter, Series } from "./meter.ts";
import { METRICS, type MetricRow } from "./metrics.ts";
import type { Sample } from "./samples.ts";

export interface MetricsText {
  readonly contentType: string;
  readonly body: string;
}

export interface Exposed {
  readonly mode: "master" | "worker";
  readonly meter: Meter;
  /** Puts into the meter what is only looked at when somebody scrapes. */
  readonly look?: () => void;
}

/** Nothing is loaded before somebody scrapes. */
export class Exposition {
  readonly #exposed: Exposed;
  #registry: Promise<Registry> | undefined;

  constructor(exposed: Exposed) {
    this.#exposed = exposed;
    exposed.meter.set("antiphon_info", [exposed.mode, VERSION], 1);
  }

  /** `samples` undefined: nobody knows them now, and none is told, for an old figure is a wrong one. */
  async text(samples: readonly Sample[] | undefined): Promise<MetricsText> {
    this.#registry ??= open();
    const registry = await this.#registry;
    const { meter, look } = this.#exposed;
    look?.();
    const own = [...familiesOf(samples ?? []), ...meter.families.map(linesOf)];
    return { contentType: registry.contentType, body: [...own, await registry.metrics()].join("\n") };
  }
}

/** The default of 10 ms would wake an idle process a hundred times a second. */
const LOOP_PRECISION_MS = 50;

/** Gauges with names of counters, at which promtool complains; the same figures come by type, too. */
const MISNAMED = ["nodejs_active_handles_total", "nodejs_active_requests_total", "nodejs_active_resources_total"];

/** What Node tells of a heap and a loop is of the thread in which this is called. */
async function open(): Promise<Registry> {
  const { collectDefaultMetrics, Registry } = (await import("prom-client")).default;
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOP_PRECISION_MS });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  return registry;
}

function familiesOf(samples: readonly Sample[]): string[] {
  return [...Map.groupBy(samples, ({ name }) => name)].map(([name, own]) => {
    const lines = own.map(({ labels, value }) => `${name}${braces(Object.entries(labels))} ${numberOf(value)}`);
    return [...headOf(name, METRICS[name]), ...lines].join("\n");
  });
}

function linesOf({ name, row, series }: Family): string {
  const lines = [...series.values()].flatMap((one) => {
    const labels = row.labels.map((label, at): Label => [label, one.values[at] ?? ""]);
    return one.buckets === undefined
      ? [`${name}${braces(labels)} ${numberOf(one.value)}`]
      : histogramLines(name, labels, one);
  });
  return [...headOf(name, row), ...lines].join("\n");
}

type Label = readonly [name: string, value: string];

function histogramLines(name: string, labels: readonly Label[], { bounds, buckets = [], value }: Series): string[] {
  let below = 0;
  const lines = buckets.map((count, at) => {
    below += count;
    return `${name}_bucket${braces([...labels, ["le", numberOf(bounds[at] ?? Number.POSITIVE_INFINITY)]])} ${below}`;
  });
  return [...lines, `${name}_sum${braces(labels)} ${numberOf(value)}`, `${name}_count${braces(labels)} ${below}`];
}

function headOf(name: string, { help, type }: MetricRow): string[] {
  const said = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return [`# HELP ${name} ${said}`, `# TYPE ${name} ${type}`];
}

function braces(labels: readonly Label[]): string {
  if (labels.length === 0) return "";
  return `{${labels.map(([name, value]) => `${name}="${escaped(value)}"`).join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function numberOf(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}
