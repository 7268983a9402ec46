// Rights and ways in and out: as little as the work needs.

import { expect, test } from "vitest";
import { at, ciValues, find, LEAST, type Manifest, ofKind, podOf, render } from "./support/render.ts";

test("masters may mark pods, tell events and look for other autoscalers, in their namespace, and nothing else", async () => {
  const objects = await render(LEAST);
  const { rules } = find(objects, "Role", "antiphon-master") as Manifest & { rules: unknown };
  expect(rules).toEqual([
    { apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "patch"] },
    { apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create"] },
    {
      apiGroups: ["apps"],
      resources: ["deployments/scale"],
      resourceNames: ["antiphon-worker"],
      verbs: ["get", "patch"],
    },
    { apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"], verbs: ["list"] },
  ]);
  const binding = find(objects, "RoleBinding", "antiphon-master");
  expect(at(binding, "subjects")).toEqual([{ kind: "ServiceAccount", name: "antiphon-master", namespace: "bots" }]);
});

test("workers have no credentials of the API server, nor has Redis, nor the test", async () => {
  const objects = await render({ redis: { bundled: { enabled: true } } });
  const mounts = ofKind(objects, "Deployment", "StatefulSet", "Pod").map((object) => [
    object.metadata.name,
    at(podOf(object), "automountServiceAccountToken"),
  ]);
  expect(Object.fromEntries(mounts)).toEqual({
    "antiphon-master": true,
    "antiphon-worker": false,
    "antiphon-redis": false,
    "antiphon-test": false,
  });
  const bound = ofKind(objects, "RoleBinding").flatMap((binding) => at(binding, "subjects") as object[]);
  expect(bound.map((subject) => at(subject, "name"))).not.toContain("antiphon-worker");
});

test("the service accounts of the user's are taken, and without rights of ours none are made", async () => {
  const { "everything-else": values = {} } = ciValues();
  expect(ofKind(await render(values), "Role", "RoleBinding")).toEqual([]);
});

test("the metrics API: masters may read whose requests to trust, the HPA controller may read metrics", async () => {
  const { "metrics-api": values = {} } = ciValues();
  const objects = await render(values);
  const master = [{ kind: "ServiceAccount", name: "antiphon-master", namespace: "bots" }];
  const reader = find(objects, "RoleBinding", "bots-antiphon-metrics-api");
  expect(reader.metadata.namespace).toBe("kube-system");
  expect(reader).toMatchObject({ roleRef: { name: "extension-apiserver-authentication-reader" }, subjects: master });
  expect(find(objects, "ClusterRoleBinding", "bots-antiphon-metrics-api-reader")).toMatchObject({
    subjects: [{ kind: "ServiceAccount", name: "horizontal-pod-autoscaler", namespace: "kube-system" }],
  });
});

test("network policies: HTTP and metrics from whom the values name, out to Redis, DNS, HTTPS and what is added", async () => {
  const { production = {} } = ciValues();
  const objects = await render(production);
  const worker = at(find(objects, "NetworkPolicy", "antiphon-worker"), "spec");
  const ports = (rules: unknown): unknown[] =>
    (rules as { ports: { port: unknown }[] }[]).map((rule) => rule.ports.map(({ port }) => port));
  expect(ports(at(worker, "ingress"))).toEqual([["http"], ["admin"]]);
  expect(at(worker, "ingress.1.from.0.namespaceSelector.matchLabels")).toEqual({
    "kubernetes.io/metadata.name": "monitoring",
  });
  expect(ports(at(worker, "egress"))).toEqual([[53, 53], [6379, 6380, 26379], [443], [6697]]);
  const master = at(find(objects, "NetworkPolicy", "antiphon-master"), "spec");
  expect(ports(at(master, "ingress"))).toEqual([["admin"]]);
  expect(ports(at(master, "egress"))).toEqual([[53, 53], [6379, 6380, 26379], [443], [443, 6443], [6697]]);
});

test("network policies: each way out can be closed, and the bundled Redis hears its own release alone", async () => {
  const egress = { dns: false, https: false, apiServerPorts: [] };
  const objects = await render({ redis: { bundled: { enabled: true } }, networkPolicy: { enabled: true, egress } });
  expect(at(find(objects, "NetworkPolicy", "antiphon-master"), "spec.egress")).toHaveLength(1);
  const redis = at(find(objects, "NetworkPolicy", "antiphon-redis"), "spec");
  expect(at(redis, "egress")).toEqual([]);
  const from = at(redis, "ingress.0.from") as object[];
  expect(from.map((peer) => at(peer, "podSelector.matchLabels"))).toEqual([
    { "app.kubernetes.io/name": "antiphon", "app.kubernetes.io/instance": "antiphon" },
    { "app.kubernetes.io/name": "antiphon-test", "app.kubernetes.io/instance": "antiphon" },
  ]);
  const open = await render({ ...LEAST, networkPolicy: { enabled: true, egress: { enabled: false } } });
  expect(at(find(open, "NetworkPolicy", "antiphon-worker"), "spec.policyTypes")).toEqual(["Ingress"]);
});

test("ways in: an Ingress and a route of the Gateway API lead to the workers, without a limit on streams", async () => {
  const sets = ciValues();
  const ingress = find(await render(sets["production"] ?? {}), "Ingress", "antiphon");
  expect(at(ingress, "spec.rules.0")).toEqual({
    host: "bot.example.com",
    http: {
      paths: [
        { path: "/", pathType: "Prefix", backend: { service: { name: "antiphon-worker", port: { name: "http" } } } },
      ],
    },
  });
  expect(ingress.metadata.annotations).toMatchObject({ "nginx.ingress.kubernetes.io/proxy-buffering": "off" });
  const route = find(await render(sets["gateway"] ?? {}), "HTTPRoute", "antiphon");
  expect(at(route, "spec.rules.0")).toMatchObject({
    backendRefs: [{ name: "antiphon-worker", port: 8080 }],
    timeouts: { request: "0s" },
  });
});

test("the Service is what the values say, and the admin port is on none that leads outside", async () => {
  const sets = ciValues();
  const objects = await render(sets["inline-handlers"] ?? {});
  const service = find(objects, "Service", "antiphon-worker");
  expect(at(service, "spec.type")).toBe("NodePort");
  expect(at(service, "spec.ports")).toEqual([
    { name: "http", port: 8080, targetPort: "http", protocol: "TCP", appProtocol: "http", nodePort: 30080 },
  ]);
  const external = find(await render(sets["external"] ?? {}), "Service", "antiphon-worker");
  expect(at(external, "spec")).toMatchObject({ type: "LoadBalancer", externalTrafficPolicy: "Local" });
  for (const one of ofKind(objects, "Service").filter((each) => each !== service))
    expect(at(one, "spec.type"), one.metadata.name).toBe("ClusterIP");
});
