// ctx.metrics: the metrics that authors' handlers tell. Names, types and labels are checked here; how many series a metric may
// have is the meter's business (telemetry/meter.ts).

import { AntiphonError } from "../runtime/errors.ts";
import type { MetricLabels, Metrics } from "../sdk/context.ts";
import type { Emit } from "../telemetry/events.ts";
import { type MetricRow, PREFIX } from "../telemetry/metrics.ts";

/** `antiphon_handler_<handler>_<name>`, which says itself whose it is. */
interface OwnMetric {
  readonly name: string;
  readonly row: MetricRow;
}

const NAME = /^[a-z][a-z0-9_]{0,62}$/;
/** A scrape adds the latter four; the first two are Prometheus' own. */
const RESERVED = new Set(["le", "quantile", "job", "instance", "namespace", "pod"]);
const LABELS_MAX = 5;
const VALUE_CHARS_MAX = 64;
/** More are not remembered, and so not counted. */
const KNOWN_MAX = 1_000;
// oxlint-disable-next-line no-control-regex -- those are what is taken out
const CONTROL = /[\u0000-\u001f\u007f]/g;

/** Those of one thread. */
export class OwnMetrics {
  readonly #emit: Emit;
  readonly #known = new Map<string, OwnMetric>();

  constructor(emit: Emit) {
    this.#emit = emit;
  }

  /** @throws OPTIONS_INVALID */
  of(handler: string): Metrics {
    const tell = (given: Given): void => this.#tell(handler, given);
    return {
      count: (name, labels = {}, by = 1) => tell({ name, labels, type: "counter", value: by }),
      gauge: (name, value, labels = {}) => tell({ name, labels, type: "gauge", value }),
      observe: (name, value, labels = {}) => tell({ name, labels, type: "histogram", value }),
    };
  }

  #tell(handler: string, given: Given): void {
    const { name, labels, type, value } = given;
    const names = Object.keys(labels).sort();
    const key = `${handler}\n${name}`;
    const metric = this.#known.get(key) ?? this.#learn(handler, given, names);
    if (metric.row.type !== type) refuse(`${name} is a ${metric.row.type} already, so it cannot be a ${type}.`);
    if (metric.row.labels.length !== names.length || names.some((label, at) => metric.row.labels[at] !== label))
      refuse(`${name} has the labels ${metric.row.labels.join(", ") || "(none)"}, not ${names.join(", ") || "none"}.`);
    if (typeof value !== "number" || !Number.isFinite(value) || (type === "counter" && value < 0))
      refuse(`${name} was given ${String(value)}: it must be a ${type === "counter" ? "number from 0 on" : "number"}.`);
    const values = names.map((label) => valueOf(labels[label]));
    this.#emit("metric.told", { ...metric, values, value });
  }

  #learn(handler: string, { name, type }: Given, labels: readonly string[]): OwnMetric {
    for (const one of [name, ...labels])
      if (typeof one !== "string" || !NAME.test(one) || RESERVED.has(one))
        refuse(`"${String(one)}" cannot be a name of a metric or label: use small letters, digits and _.`);
    if (labels.length > LABELS_MAX) refuse(`${name} has ${labels.length} labels; it may have ${LABELS_MAX}.`);
    const help = `Told by the handler ${handler}.`;
    const full = `${PREFIX}handler_${handler.replaceAll("-", "_").toLowerCase()}_${name}`;
    const suffix = type === "counter" && !name.endsWith("_total") ? "_total" : "";
    const metric: OwnMetric = { name: full + suffix, row: { type, labels, help } };
    if (this.#known.size < KNOWN_MAX) this.#known.set(`${handler}\n${name}`, metric);
    return metric;
  }
}

interface Given {
  readonly name: string;
  readonly labels: MetricLabels;
  readonly type: MetricRow["type"];
  readonly value: number;
}

function valueOf(value: unknown): string {
  return String(value).replace(CONTROL, " ").slice(0, VALUE_CHARS_MAX);
}

function refuse(problem: string): never {
  throw new AntiphonError("OPTIONS_INVALID", problem);
}
