// What is derived from the chart's values is up to date, and what the chart tells the processes are settings that exist.

import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { FIGURES } from "../../../scripts/chart-metrics.ts";
import { chartPages } from "../../../scripts/chart-pages.ts";
import { ADAPTER_SETTINGS, type Row, SETTINGS } from "../../../services/config.ts";

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
  const pages = FIGURES.flatMap(({ alerts }) => alerts.map(({ runbook }) => runbook));
  const missing = pages.filter((page) => !existsSync(join(ROOT, `docs/operators/runbooks/${page}.md`)));
  expect(missing).toEqual([]);
});
