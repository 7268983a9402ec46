// The pods of masters and workers: how they are chosen, asked, told to go, placed and told what they are.

import { expect, test } from "vitest";
import { at, ciValues, env, find, LEAST, type Manifest, ofKind, render } from "./support/render.ts";

const POD = "spec.template.spec";
const CONTAINER = `${POD}.containers.0`;

async function deployments(values: object = {}, kubernetes = "1.34.0"): Promise<Record<string, Manifest>> {
  const objects = ofKind(await render({ ...LEAST, ...values }, { kubernetes }), "Deployment");
  return Object.fromEntries(objects.map((object) => [object.metadata.name, object]));
}

// An upgrade cannot change a selector: this list changes with a new major version, or never.
test("selectors are frozen", async () => {
  const values = { worker: { pools: { heavy: {} } }, redis: { bundled: { enabled: true } }, nameOverride: "bot" };
  const objects = ofKind(await render(values, { release: "one" }), "Deployment", "StatefulSet");
  const selectors = objects.map(({ metadata, ...rest }) => [metadata.name, at(rest, "spec.selector.matchLabels")]);
  const of = (component: string, pool?: string): object => ({
    "app.kubernetes.io/name": "antiphon",
    "app.kubernetes.io/instance": "one",
    "app.kubernetes.io/component": component,
    ...(pool !== undefined && { "antiphon.dev/pool": pool }),
  });
  expect(Object.fromEntries(selectors)).toEqual({
    "one-bot-master": of("master"),
    "one-bot-worker": of("worker", "default"),
    "one-bot-worker-heavy": of("worker", "heavy"),
    "one-bot-redis": { "app.kubernetes.io/name": "antiphon-redis", "app.kubernetes.io/instance": "one" },
  });
});

test("labels of the user's, of the chart and of the version are in no selector", async () => {
  const objects = await render({ ...LEAST, commonLabels: { team: "bots" }, podLabels: { a: "b" } });
  for (const { kind, metadata, ...rest } of ofKind(objects, "Deployment", "Service", "PodDisruptionBudget")) {
    const selector = at(rest, "spec.selector.matchLabels") ?? at(rest, "spec.selector");
    for (const key of ["team", "a", "helm.sh/chart", "app.kubernetes.io/version"])
      expect(selector, `${kind} ${metadata.name}`).not.toHaveProperty([key]);
  }
});

test("a new version of the chart alone rolls no pod: its name is not on them", async () => {
  for (const { metadata, ...rest } of ofKind(await render(LEAST), "Deployment"))
    expect(at(rest, "spec.template.metadata.labels"), metadata.name).not.toHaveProperty(["helm.sh/chart"]);
});

test("probes: liveness and start ask /livez, readiness asks whether senders may come", async () => {
  for (const deployment of Object.values(await deployments())) {
    const container = at(deployment, CONTAINER);
    const live = { path: "/livez", port: "admin" };
    expect(at(container, "startupProbe")).toMatchObject({ httpGet: live, periodSeconds: 2, failureThreshold: 60 });
    expect(at(container, "livenessProbe")).toMatchObject({ httpGet: live, periodSeconds: 10, failureThreshold: 3 });
    expect(at(container, "readinessProbe.httpGet")).toEqual({ path: "/readyz?serving", port: "admin" });
  }
});

test("workers wait five seconds before SIGTERM, where Kubernetes can without a program, and else with node", async () => {
  const preStop = `${CONTAINER}.lifecycle.preStop`;
  const { "antiphon-worker": now, "antiphon-master": master } = await deployments({}, "1.30.0");
  expect(at(now, preStop)).toEqual({ sleep: { seconds: 5 } });
  expect(at(master, preStop)).toBeUndefined(); // nobody sends it anything, and another could lead already
  const { "antiphon-worker": before } = await deployments({}, "1.29.0");
  expect(at(before, `${preStop}.exec.command.0`)).toBe("node");
});

test("the grace period follows the drain, pool by pool", async () => {
  const worker = {
    drainSeconds: 180,
    pools: { quick: { drainSeconds: 10 }, own: { terminationGracePeriodSeconds: 7 } },
  };
  const found = await deployments({ worker });
  const grace = (name: string): unknown => at(found[name], `${POD}.terminationGracePeriodSeconds`);
  expect(grace("antiphon-worker")).toBe(195);
  expect(grace("antiphon-worker-quick")).toBe(25);
  expect(grace("antiphon-worker-own")).toBe(7);
  expect(grace("antiphon-master")).toBe(40);
  const drain = (name: string): unknown => env(found[name] as Manifest)["ANTIPHON_DRAIN_MS"]?.value;
  expect(drain("antiphon-worker")).toBe("180000");
  expect(drain("antiphon-worker-quick")).toBe("10000");
  const usual = await deployments();
  expect(at(usual["antiphon-worker"], `${POD}.terminationGracePeriodSeconds`)).toBe(40);
});

test("rollouts make room first and take nothing away", async () => {
  const found = await deployments();
  const strategy = (name: string): unknown => at(found[name], "spec.strategy.rollingUpdate");
  expect(strategy("antiphon-worker")).toEqual({ maxSurge: "25%", maxUnavailable: 0 });
  expect(strategy("antiphon-master")).toEqual({ maxSurge: 1, maxUnavailable: 0 });
  for (const deployment of Object.values(found)) expect(at(deployment, "spec.minReadySeconds")).toBe(5);
});

test("budgets let unhealthy pods be evicted and never forbid a drain", async () => {
  const objects = await render({ ...LEAST, worker: { pools: { heavy: {} } } });
  const budgets = ofKind(objects, "PodDisruptionBudget").map((budget) => [budget.metadata.name, at(budget, "spec")]);
  expect(budgets).toHaveLength(3);
  for (const [, spec] of budgets) {
    expect(at(spec, "unhealthyPodEvictionPolicy")).toBe("AlwaysAllow");
    expect(at(spec, "minAvailable")).toBeUndefined();
    expect(["25%", 1]).toContain(at(spec, "maxUnavailable"));
  }
});

// A spread constraint on zones would, on nodes without that label, switch the one on nodes off: zones are an affinity.
test("pods of a kind spread over nodes, rather in different zones, unless the user says otherwise", async () => {
  const worker = (await deployments())["antiphon-worker"];
  const matchLabels = at(worker, "spec.selector.matchLabels");
  expect(at(worker, `${POD}.topologySpreadConstraints`)).toEqual([
    {
      maxSkew: 1,
      topologyKey: "kubernetes.io/hostname",
      whenUnsatisfiable: "ScheduleAnyway",
      labelSelector: { matchLabels },
      matchLabelKeys: ["pod-template-hash"],
    },
  ]);
  const term = { topologyKey: "topology.kubernetes.io/zone", labelSelector: { matchLabels } };
  expect(at(worker, `${POD}.affinity.podAntiAffinity`)).toEqual({
    preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 50, podAffinityTerm: term }],
  });
  const own = { nodeAffinity: {} };
  const other = (await deployments({ topologySpreadConstraints: [], affinity: own }))["antiphon-worker"];
  expect(at(other, `${POD}.topologySpreadConstraints`)).toBeUndefined();
  expect(at(other, `${POD}.affinity`)).toEqual(own);
});

test("a value of a mode goes before that of the release, variables of both are there", async () => {
  const { "everything-else": values = {} } = ciValues();
  const objects = await render(values);
  const master = find(objects, "Deployment", "antiphon-bot-master");
  const worker = find(objects, "Deployment", "antiphon-bot-worker");
  expect(at(master, `${POD}.priorityClassName`)).toBe("higher");
  expect(at(worker, `${POD}.priorityClassName`)).toBe("high");
  expect(at(worker, `${POD}.hostUsers`)).toBe(true);
  expect(at(master, `${POD}.hostUsers`)).toBe(false);
  expect(at(worker, `${POD}.securityContext`)).toEqual({
    runAsNonRoot: true,
    seccompProfile: { type: "RuntimeDefault" },
  });
  expect(env(master)).toMatchObject({ GREETING: { value: "from antiphon" }, ONLY_MASTERS: { value: "1" } });
  expect(env(worker)).not.toHaveProperty("ONLY_MASTERS");
  expect(at(worker, `${CONTAINER}.lifecycle`)).toEqual({ preStop: { sleep: { seconds: 15 } } });
  expect(at(master, `${POD}.serviceAccountName`)).toBe("of-ours");
  expect(at(master, "spec.revisionHistoryLimit")).toBe(2);
});

test("a pool has queues, tags and limits of its own, and the rest of worker", async () => {
  const { production = {} } = ciValues();
  const objects = await render(production);
  const heavy = find(objects, "Deployment", "antiphon-worker-heavy");
  const usual = find(objects, "Deployment", "antiphon-worker");
  expect(env(heavy)).toMatchObject({
    ANTIPHON_POOL: { value: "heavy" },
    ANTIPHON_QUEUES: { value: "heavy" },
    ANTIPHON_TAGS: { value: "gpu" },
    ANTIPHON_DRAIN_MS: { value: "180000" },
  });
  expect(env(usual)).toMatchObject({
    ANTIPHON_POOL: { value: "default" },
    ANTIPHON_QUEUES: { value: "high:5,default,chat" },
  });
  expect(at(heavy, `${CONTAINER}.resources`)).toEqual({
    requests: { cpu: "100m", memory: "256Mi" },
    limits: { memory: "4Gi" },
  });
  expect(at(heavy, `${POD}.nodeSelector`)).toEqual({ accelerator: "yes" });
  expect(at(usual, `${POD}.nodeSelector`)).toBeUndefined();
  const service = find(objects, "Service", "antiphon-worker");
  const isChosen = (pod: Manifest): boolean => {
    const labels = at(pod, "spec.template.metadata.labels") as Record<string, string>;
    return Object.entries(at(service, "spec.selector") as object).every(([key, value]) => labels[key] === value);
  };
  expect(isChosen(usual)).toBe(true);
  expect(isChosen(heavy)).toBe(false);
});

test("an image by digest, and the revision of masters is that of their Deployment", async () => {
  const { production = {} } = ciValues();
  const master = find(await render(production), "Deployment", "antiphon-master");
  expect(at(master, `${CONTAINER}.image`)).toMatch(/^registry\.example\.com\/team\/bot@sha256:[0-9a-f]{64}$/);
  expect(env(master)["ANTIPHON_REVISION"]?.valueFrom).toEqual({
    fieldRef: { fieldPath: "metadata.labels['pod-template-hash']" },
  });
});

test.each([
  ["2026-11-22", "antiphon:2026-11-22", "2026-11-22"],
  [20261122, "antiphon:20261122", "20261122"],
  ["v1@sha256:0123", "antiphon:v1@sha256:0123", "v1"],
])("the tag %j is the image's, and the version on labels as far as labels can say it", async (tag, image, version) => {
  const found = await deployments({ image: { tag } });
  expect(at(found["antiphon-worker"], `${CONTAINER}.image`)).toBe(image);
  expect(found["antiphon-worker"]?.metadata.labels).toMatchObject({ "app.kubernetes.io/version": version });
});
