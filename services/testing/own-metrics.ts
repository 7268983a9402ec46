// What handlers told with `ctx.metrics`, for tests to read.

import type { Emit, EventFields } from "../telemetry/events.ts";

export interface MetricLine {
  /** As `/metrics` tells it. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export class ToldMetrics {
  readonly lines: MetricLine[] = [];

  readonly hear: Emit = (event, fields) => {
    if (event !== "metric.told") return;
    const { name, row, values, value } = fields as EventFields["metric.told"];
    const labels = Object.fromEntries(row.labels.map((label, at) => [label, values[at] ?? ""]));
    this.lines.push({ name, type: row.type, labels, value });
  };
}
