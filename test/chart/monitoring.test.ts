// Metrics: scraped once, from every pod; alerts of this release alone; notes that say what to do next.

import { expect, test } from "vitest";
import { FIGURES } from "../../scripts/chart-figures.ts";
import { ALERTS } from "../../scripts/chart-metrics.ts";
import { at, ciValues, find, LEAST, type Manifest, ofKind, notes, render } from "./support/render.ts";

test("a ServiceMonitor finds the pods of both modes by a Service that nobody else uses", async () => {
  const { production = {} } = ciValues();
  const objects = await render(production);
  const service = find(objects, "Service", "antiphon-metrics");
  expect(at(service, "spec")).toMatchObject({ clusterIP: "None", publishNotReadyAddresses: true });
  const monitor = find(objects, "ServiceMonitor", "antiphon");
  expect(monitor.metadata.labels).toMatchObject({ release: "prometheus" });
  expect(service.metadata.labels).toMatchObject(at(monitor, "spec.selector.matchLabels") as object);
  expect(at(monitor, "spec.endpoints.0")).toMatchObject({ port: "admin", path: "/metrics" });
  for (const pods of ofKind(objects, "Deployment"))
    expect(at(pods, "spec.template.metadata.labels")).toMatchObject(at(service, "spec.selector") as object);
});

test("a PodMonitor does it without a Service", async () => {
  const { keda = {} } = ciValues();
  const objects = await render(keda);
  expect(ofKind(objects, "Service").map(({ metadata }) => metadata.name)).not.toContain("antiphon-metrics");
  expect(at(find(objects, "PodMonitor", "antiphon"), "spec.podMetricsEndpoints.0.port")).toBe("admin");
});

interface Rule {
  readonly alert: string;
  readonly expr: string;
}

function rules(objects: readonly Manifest[]): Rule[] {
  const groups = at(find(objects, "PrometheusRule", "antiphon"), "spec.groups") as { rules: Rule[] }[];
  return groups.flatMap((group) => group.rules);
}

test("alerts are those of the list, of this release alone, without those that are not wanted", async () => {
  const { production = {} } = ciValues();
  const found = rules(await render(production));
  const all = ALERTS.map(({ name }) => name);
  expect(found.map(({ alert }) => alert).sort()).toEqual(all.filter((name) => name !== "AntiphonSilent").sort());
  for (const { expr } of found) {
    expect(expr).toContain("namespace='bots',pod=~'antiphon-(master|worker)-.+'");
    expect(expr).not.toContain("%");
  }
});

test("the dashboard is a ConfigMap that Grafana finds", async () => {
  const { production = {} } = ciValues();
  const object = find(await render(production), "ConfigMap", "antiphon-dashboard") as Manifest & {
    data: Record<string, string>;
  };
  expect(object.metadata.labels).toMatchObject({ grafana_dashboard: "1" });
  const dashboard = JSON.parse(object.data["antiphon.json"] ?? "") as { panels: { type: string; title: string }[] };
  const panels = dashboard.panels.filter(({ type }) => type !== "row");
  expect(panels.map(({ title }) => title)).toEqual(FIGURES.map(({ title }) => title));
});

test("rules for prometheus-adapter come as a ConfigMap", async () => {
  const { hpa = {} } = ciValues();
  const object = find(await render(hpa), "ConfigMap", "antiphon-prometheus-adapter");
  expect(JSON.stringify(object)).toContain("max(<<.Series>>{<<.LabelMatchers>>}) by (pool)");
});

test("the notes say what to do next, and what is not for production", async () => {
  const said = await notes({ redis: { bundled: { enabled: true } } });
  for (const part of [
    "kubectl -n bots rollout status deployment/antiphon-worker deployment/antiphon-master",
    "helm -n bots test antiphon --logs",
    "kubectl -n bots port-forward service/antiphon-worker 8080:8080",
    'Say "antiphon help"',
    "antiphon leader",
    "redis.bundled is one Redis for trying out. Without redis.bundled.persistence.enabled it forgets everything",
    "without adminToken the dashboard and /api refuse everybody",
  ])
    expect(said).toContain(part);
  const { production = {}, external = {} } = ciValues();
  const earnest = await notes(production);
  expect(earnest).toContain("https://bot.example.com/chat");
  expect(earnest).toContain('Say "hal help"');
  expect(earnest).not.toContain("NOTE");
  expect(await notes({ ...external, ...LEAST, redis: external["redis"] })).toContain(
    "nothing here scales deployment/antiphon-worker",
  );
});
