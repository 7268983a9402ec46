// What a scenario found: printed as a table, kept as JSON lines where E2E_FIGURES says, written into docs/e2e.md with --save.

import { appendFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { expect } from "vitest";
import { jsonLine, table } from "../../bench/report.ts";
import { save } from "../../bench/save.ts";
import { quantile } from "../../bench/statistics.ts";
import type { Finding } from "../../chaos/findings.ts";
import type { Row } from "../../bench/report.ts";

export { count } from "../../chaos/findings.ts";
export type { Finding };

const PAGE = new URL("../../../docs/e2e.md", import.meta.url);

/** Prints it, and fails when something is wrong that must not be, whatever the machine. */
export function tell(finding: Finding): void {
  const around = [
    `${availableParallelism()} cores for everything: the cluster, its pods and the load; load average ${loadavg()[0]?.toFixed(1)}`,
    `${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}`,
  ];
  const whole = { ...finding, conditions: [...around, ...finding.conditions] };
  const lines = whole.conditions.map((line) => `- ${line}`);
  process.stdout.write(`\n## ${finding.name}\n\n${lines.join("\n")}\n\n${table(finding.rows)}\n\n`);
  const kept = process.env["E2E_FIGURES"];
  if (kept !== undefined) appendFileSync(kept, finding.rows.map((row) => `${jsonLine(row)}\n`).join(""));
  expect(finding.problems).toEqual([]);
  if (process.env["E2E_SAVE"] !== undefined) save(whole, process.env["E2E_SAVE"], PAGE);
}

export function time(name: string, ms: number, atMost?: number): Row {
  const value = Math.round(ms);
  return { name, value, unit: "ms", ...(atMost !== undefined && { reach: `≤ ${atMost} ms`, holds: value <= atMost }) };
}

/** p50 and p99 of answers, and the p99 beside that of quiet times. */
export function latency(name: string, ms: readonly number[], steady?: readonly number[]): Row[] {
  if (ms.length === 0) return [];
  const rows = [time(`${name}, p50`, quantile(ms, 0.5))];
  const p99 = time(`${name}, p99`, quantile(ms, 0.99));
  if (steady === undefined || steady.length === 0) return [...rows, p99];
  return [...rows, { ...p99, peer: "before it", peerValue: Math.round(quantile(steady, 0.99)) }];
}
