// Who scales the workers: exactly one, and nobody's count is undone by an upgrade.

import { expect, test } from "vitest";
import { at, ciValues, env, find, LEAST, type Manifest, ofKind, render } from "./support/render.ts";

const POOLS = { heavy: { queues: "heavy", autoscaling: { min: 1, max: 4 } } };

function scaled(mode: string): Promise<Manifest[]> {
  return render({ ...LEAST, autoscaling: { mode }, worker: { pools: POOLS } });
}

const replicas = (objects: readonly Manifest[], name: string): unknown =>
  at(find(objects, "Deployment", name), "spec.replicas");

test.each(["builtin", "keda", "hpa", "external"])("%s: no count of workers is rendered", async (mode) => {
  const objects = await scaled(mode);
  for (const name of ["antiphon-worker", "antiphon-worker-heavy"])
    expect(find(objects, "Deployment", name)).not.toHaveProperty("spec.replicas");
  expect(replicas(objects, "antiphon-master")).toBe(2);
  const theirs = ofKind(objects, "HorizontalPodAutoscaler", "ScaledObject").map(({ kind }) => kind);
  expect(new Set(theirs)).toEqual(new Set({ keda: ["ScaledObject"], hpa: ["HorizontalPodAutoscaler"] }[mode]));
});

test("none: as many as the values say", async () => {
  const objects = await render({
    ...LEAST,
    autoscaling: { mode: "none" },
    worker: { replicas: 7, pools: { heavy: { replicas: 0 } } },
  });
  expect(replicas(objects, "antiphon-worker")).toBe(7);
  expect(replicas(objects, "antiphon-worker-heavy")).toBe(0);
});

test("builtin: the masters are told each pool's Deployment and bounds, and may scale these alone", async () => {
  const objects = await scaled("builtin");
  const master = find(objects, "Deployment", "antiphon-master");
  expect(env(master)["ANTIPHON_SCALE_TARGETS"]?.value).toBe(
    "default=antiphon-worker:2-10,heavy=antiphon-worker-heavy:1-4",
  );
  const rules = at(find(objects, "Role", "antiphon-master"), "rules") as object[];
  expect(rules.find((rule) => at(rule, "resources.0") === "deployments/scale")).toEqual({
    apiGroups: ["apps"],
    resources: ["deployments/scale"],
    resourceNames: ["antiphon-worker", "antiphon-worker-heavy"],
    verbs: ["get", "patch"],
  });
});

test.each(["keda", "hpa", "external", "none"])("%s: the masters scale nothing and may not", async (mode) => {
  const objects = await render({ ...LEAST, autoscaling: { mode } });
  expect(env(find(objects, "Deployment", "antiphon-master"))).not.toHaveProperty("ANTIPHON_SCALE_TARGETS");
  expect(JSON.stringify(find(objects, "Role", "antiphon-master"))).not.toContain("deployments/scale");
});

test("a pool may be left to itself while the others are scaled", async () => {
  const { hpa = {} } = ciValues();
  const objects = await render(hpa);
  expect(replicas(objects, "antiphon-worker-fixed")).toBe(3);
  expect(ofKind(objects, "HorizontalPodAutoscaler").map(({ metadata }) => metadata.name)).toEqual([
    "antiphon-worker",
    "antiphon-worker-heavy",
  ]);
});

test("hpa: one of the metric is one pod, of the pool and the release", async () => {
  const { hpa = {} } = ciValues();
  const heavy = find(await render(hpa), "HorizontalPodAutoscaler", "antiphon-worker-heavy");
  expect(at(heavy, "spec")).toMatchObject({
    scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "antiphon-worker-heavy" },
    minReplicas: 1,
    maxReplicas: 4,
    behavior: { scaleUp: { stabilizationWindowSeconds: 0 }, scaleDown: { stabilizationWindowSeconds: 180 } },
  });
  expect(at(heavy, "spec.metrics.0.external")).toEqual({
    metric: {
      name: "antiphon_workers_required",
      selector: { matchLabels: { pool: "heavy", release: "antiphon" } },
    },
    target: { type: "AverageValue", averageValue: "1" },
  });
});

test("keda: it asks /scale for the pool's figure and keeps at least as many when it cannot", async () => {
  const { keda = {} } = ciValues();
  const heavy = find(await render(keda), "ScaledObject", "antiphon-worker-heavy");
  expect(at(heavy, "spec")).toMatchObject({
    scaleTargetRef: { name: "antiphon-worker-heavy" },
    minReplicaCount: 1,
    maxReplicaCount: 4,
    fallback: { behavior: "currentReplicasIfHigher" },
    advanced: { restoreToOriginalReplicaCount: false },
  });
  expect(at(heavy, "spec.triggers.0")).toEqual({
    type: "metrics-api",
    metricType: "AverageValue",
    metadata: {
      url: "http://antiphon-admin.bots:9090/scale?pool=heavy",
      valueLocation: "workersRequired",
      targetValue: "1",
    },
  });
});

test("our own metrics API: every master serves it, with a certificate for its Service", async () => {
  const { "metrics-api": values = {} } = ciValues();
  const objects = await render(values);
  const api = find(objects, "APIService", "v1beta1.external.metrics.k8s.io");
  expect(at(api, "spec")).toMatchObject({
    group: "external.metrics.k8s.io",
    version: "v1beta1",
    groupPriorityMinimum: 100,
    versionPriority: 100,
    service: { name: "antiphon-metrics-api", namespace: "bots", port: 443 },
  });
  const secret = find(objects, "Secret", "antiphon-metrics-api");
  expect(at(api, "spec.caBundle")).toBe(at(secret, "data")?.["ca.crt" as never]);
  const master = find(objects, "Deployment", "antiphon-master");
  expect(env(master)).toMatchObject({
    ANTIPHON_METRICS_API_PORT: { value: "6443" },
    ANTIPHON_METRICS_API_CERTIFICATE: { value: "/etc/antiphon/metrics-api" },
  });
  expect(at(master, "spec.template.spec.containers.0.lifecycle.preStop.sleep.seconds")).toBe(5);
  expect(at(find(objects, "Service", "antiphon-metrics-api"), "spec.selector")).toEqual(
    at(master, "spec.selector.matchLabels"),
  );
});

test("our own metrics API is off unless it is asked for, and nothing of the cluster's is touched then", async () => {
  const kinds = (await render(LEAST)).map(({ kind }) => kind);
  for (const kind of ["APIService", "ClusterRole", "ClusterRoleBinding"]) expect(kinds).not.toContain(kind);
});

test("a certificate of the user's, or of cert-manager, is taken instead", async () => {
  const sets = ciValues();
  const own = await render(sets["metrics-api-own-certificate"] ?? {});
  expect(ofKind(own, "Secret")).toEqual([]);
  const bundle = String(at(find(own, "APIService", "v1beta1.external.metrics.k8s.io"), "spec.caBundle"));
  expect(Buffer.from(bundle, "base64").toString()).toMatch(/^-----BEGIN CERTIFICATE-----/);
  const managed = await render(sets["metrics-api-cert-manager"] ?? {});
  const api = find(managed, "APIService", "v1beta1.external.metrics.k8s.io");
  expect(api.metadata.annotations).toMatchObject({ "cert-manager.io/inject-ca-from": "bots/antiphon-metrics-api" });
  expect(at(find(managed, "Certificate", "antiphon-metrics-api"), "spec.dnsNames")).toEqual([
    "antiphon-metrics-api.bots.svc",
  ]);
});
