// What is derived from the chart's values is up to date, and what the chart tells the processes are settings that exist.

import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { FIGURES } from "../../../scripts/chart-figures.ts";
import { ALERTS } from "../../../scripts/chart-metrics.ts";
import { chartPages } from "../../../scripts/chart-pages.ts";
import { METRICS, type MetricRow } from "../../../services/telemetry/metrics.ts";
import { ADAPTER_SETTINGS, SETTINGS } from "../../../services/config/config.ts";
import type { Row } from "../../../services/config/row.ts";

const ROOT = join(import.meta.dirname, "../../..");
const CHART = join(ROOT, "charts/antiphon");
const read = (path: string): string => readFileSync(join(CHART, path), "utf8");

test.each(Object.entries(chartPages()))(
  "charts/antiphon/%s is what `node scripts/chart-pages.ts` writes",
  (path, text) => {
    expect(read(path)).toBe(text);
  },
);

const rows = [SETTINGS, ...Object.values(ADAPTER_SETTINGS)].flatMap((table) => Object.values<Row<unknown>>(table));
const known = new Set([...rows.flatMap(({ variable }) => variable ?? []), "ANTIPHON_CONFIG"]);

test("every variable that the templates set is a setting", () => {
  const templates = globSync("templates/**/*", { cwd: CHART }).filter((path) => /\.(?:ya?ml|tpl)$/.test(path));
  const set = templates.flatMap((path) => [...read(path).matchAll(/- name: ((?:ANTIPHON|IRC)_[A-Z_]+)/g)]);
  expect(set.length).toBeGreaterThan(10);
  expect(set.map(([, name]) => name ?? "").filter((name) => !known.has(name))).toEqual([]);
});

test("every setting that the chart refuses in `config` is one", () => {
  const [, table = ""] = /\$instead := dict([\s\S]*?)-}}/.exec(read("templates/_check.tpl")) ?? [];
  const keys = [...table.matchAll(/"([a-z][A-Za-z]*)" "/g)].map(([, key]) => key ?? "");
  expect(keys.length).toBeGreaterThan(10);
  const also = ["folders"];
  expect(keys.filter((key) => !Object.hasOwn(SETTINGS, key) && !also.includes(key))).toEqual([]);
});

test("the chart's appVersion is the version of the package", () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
  expect(parse(read("Chart.yaml"))).toMatchObject({ appVersion: version });
});

test("every alert has a runbook", () => {
  const pages = ALERTS.map(({ runbook }) => runbook);
  const missing = pages.filter((page) => !existsSync(join(ROOT, `docs/operators/runbooks/${page}.md`)));
  expect(missing).toEqual([]);
});

test("the list of runbooks names every alert, when it fires and its page", () => {
  const list = readFileSync(join(ROOT, "docs/operators/runbooks/README.md"), "utf8");
  const rows = ALERTS.map(({ name, when, runbook }) => ({ name, when, runbook }));
  const missing = rows.filter(({ name, when, runbook }) => {
    const row = list.split("\n").find((line) => line.startsWith(`| \`${name}\``)) ?? "";
    return !row.includes(when) || !row.includes(`(${runbook}.md)`);
  });
  expect(missing).toEqual([]);
});

/** Of whoever else may be scraped: kube-state-metrics, and what prom-client tells of every process. */
const OTHERS = new Set(["kube_pod_status_ready", "process_resident_memory_bytes"]);

test("every metric that an alert or a panel asks for is in the list of metrics, with the labels it asks for", () => {
  const asked = [
    ...ALERTS.map(({ expression }) => expression),
    ...FIGURES.flatMap(({ queries }) => queries).map(([query]) => query),
  ];
  expect(asked.length).toBeGreaterThan(30);
  const problems = asked.flatMap((expression) =>
    [...expression.matchAll(/([a-z][a-z0-9_]*)\{([^}]*)\}/g)].flatMap(([, metric = "", matchers = ""]) => {
      if (OTHERS.has(metric)) return [];
      const name = metric.replace(/_bucket$/, "");
      const row = (METRICS as Readonly<Record<string, MetricRow>>)[name];
      if (row === undefined) return [`${metric} is no metric`];
      const labels = [...matchers.matchAll(/([a-z_]+)=/g)].map(([, label = ""]) => label);
      return labels.filter((label) => !row.labels.includes(label)).map((label) => `${metric} has no label ${label}`);
    }),
  );
  expect(problems).toEqual([]);
});

test("labels by which a rule groups are those of its metrics, or those that a scrape adds", () => {
  const scraped = new Set(["namespace", "pod", "le"]);
  for (const [query] of FIGURES.flatMap(({ queries }) => queries)) {
    const names = [...query.matchAll(/([a-z][a-z0-9_]*)\{/g)].map(([, name = ""]) => name.replace(/_bucket$/, ""));
    const known = names.flatMap((name) => (METRICS as Readonly<Record<string, MetricRow>>)[name]?.labels ?? []);
    const by = [...query.matchAll(/by \(([^)]*)\)/g)].flatMap(([, labels = ""]) => labels.split(", "));
    expect(by.filter((label) => !scraped.has(label) && !known.includes(label))).toEqual([]);
  }
});
