// The chart's alerts and its Grafana dashboard, written from the one list of figures (chart-figures.ts).

import { type Alert, FIGURES, type Figure } from "./chart-figures.ts";

const SCOPE = "%scope%";

export const ALERTS: readonly Alert[] = FIGURES.flatMap(({ alerts = [] }) => alerts);

export function alertsFile(): object {
  const rules = ALERTS.map((alert) => ({
    alert: alert.name,
    expr: alert.expression,
    for: `${alert.minutes}m`,
    labels: { severity: alert.severity },
    annotations: { summary: alert.summary, runbook: `docs/operators/runbooks/${alert.runbook}.md` },
  }));
  return { groups: [{ name: "antiphon", rules }] };
}

/** Of a grid of 24. */
const WIDTH = 8;
const HEIGHT = 8;
const HEAD_HEIGHT = 1;
const PER_ROW = 24 / WIDTH;

export function dashboardFile(): object {
  const panels: object[] = [];
  let y = 0;
  for (const [section, figures] of Map.groupBy(FIGURES, (figure) => figure.section)) {
    panels.push({
      id: panels.length + 1,
      type: "row",
      title: section,
      collapsed: false,
      gridPos: { h: HEAD_HEIGHT, w: 24, x: 0, y },
      panels: [],
    });
    y += HEAD_HEIGHT;
    for (const [index, figure] of figures.entries()) {
      const row = Math.floor(index / PER_ROW);
      const gridPos = { h: HEIGHT, w: WIDTH, x: (index % PER_ROW) * WIDTH, y: y + row * HEIGHT };
      panels.push({ id: panels.length + 1, ...panelOf(figure), gridPos });
    }
    y += Math.ceil(figures.length / PER_ROW) * HEIGHT;
  }
  return {
    uid: "antiphon",
    title: "Antiphon",
    tags: ["antiphon"],
    schemaVersion: 39,
    refresh: "30s",
    time: { from: "now-3h", to: "now" },
    templating: { list: [variable("datasource"), variable("namespace"), variable("release")] },
    panels,
  };
}

const CHOICE = 'namespace="$namespace",pod=~"$release-(master|worker)-.+"';

function panelOf({ title, says, unit, queries }: Figure): object {
  const targets = queries.map(([query, legend], at) => {
    return { refId: String.fromCodePoint(65 + at), expr: query.replaceAll(SCOPE, CHOICE), legendFormat: legend };
  });
  return {
    type: "timeseries",
    title,
    description: says,
    datasource: { type: "prometheus", uid: "${datasource}" },
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    targets,
  };
}

function variable(name: "datasource" | "namespace" | "release"): object {
  if (name === "datasource") return { name, type: "datasource", query: "prometheus" };
  const base = { name, type: "query", datasource: { type: "prometheus", uid: "${datasource}" }, refresh: 2 };
  if (name === "namespace") return { ...base, query: "label_values(antiphon_info, namespace)" };
  const regex = "/^(.+?)-(?:master|worker)-.+$/";
  return { ...base, query: 'label_values(antiphon_info{namespace="$namespace"}, pod)', regex };
}
