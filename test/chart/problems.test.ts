// Values that do not fit together stop `helm install` with a sentence that says what to set; all of them at once.

import { expect, test } from "vitest";
import { LEAST, refusal, render } from "./support/render.ts";

const API = { externalMetrics: { apiService: { enabled: true } } };

test.each([
  ["no Redis", {}, "No Redis: set redis.existingSecret to a Secret that holds the URL under the key url, or redis.url"],
  [
    "two of them",
    { redis: { url: "redis://a", bundled: { enabled: true } } },
    "redis.url and redis.bundled.enabled say each where Redis is: keep one.",
  ],
  [
    "min above max",
    { ...LEAST, autoscaling: { min: 11 } },
    "autoscaling.min is 11 and more than max, which is 10: set min to at most max.",
  ],
  [
    "min above max of a pool",
    { ...LEAST, worker: { pools: { a: { autoscaling: { max: 1 } } } } },
    "worker.pools.a.autoscaling.min is 2 and more than max, which is 1",
  ],
  [
    "bounds of what nobody scales",
    { ...LEAST, autoscaling: { mode: "none" }, worker: { pools: { a: { autoscaling: { max: 4 } } } } },
    "worker.pools.a.autoscaling has a min or max, but its mode is none: set its mode, or replicas instead.",
  ],
  [
    "a count of what is scaled",
    { ...LEAST, worker: { pools: { a: { replicas: 3 } } } },
    "worker.pools.a.replicas says how many, but autoscaling.mode builtin scales it",
  ],
  [
    "a pool called default",
    { ...LEAST, worker: { pools: { default: {} } } },
    "worker.pools.default is the pool that the keys of worker describe",
  ],
  [
    "builtin without rights",
    { ...LEAST, rbac: { create: false } },
    "autoscaling.mode builtin needs rights: set rbac.create=true",
  ],
  [
    "builtin without credentials",
    { ...LEAST, master: { serviceAccount: { automount: false } } },
    "autoscaling.mode builtin speaks to the API server: set master.serviceAccount.automount=true",
  ],
  [
    "a setting that the chart overrules",
    { ...LEAST, config: { redisUrl: "redis://a" } },
    "config.redisUrl would be overruled by a variable of the chart: set redis.url or redis.existingSecret instead.",
  ],
  [
    "folders as settings of handlers",
    { ...LEAST, config: { handlers: ["./a"] } },
    "set handlers.paths to the folders that hold them.",
  ],
  [
    "two settings files",
    { ...LEAST, settingsSecret: { name: "a" }, config: { name: "hal" } },
    "settingsSecret.name and config each say what the settings file is: keep one.",
  ],
  [
    "two sources of an adapter's settings",
    { ...LEAST, settingsSecret: { name: "a" }, adapters: { web: { config: { order: "room" } } } },
    "settingsSecret.name and adapters.web.config each say",
  ],
  [
    "no adapter",
    { ...LEAST, adapters: { web: { enabled: false } } },
    "No chat service is on: set adapters.web.enabled=true",
  ],
  [
    "IRC without a server",
    { ...LEAST, adapters: { irc: { enabled: true } } },
    "set adapters.irc.config.host, or adapters.irc.config.networks.",
  ],
  [
    "an Ingress to nowhere",
    { ...LEAST, ingress: { enabled: true } },
    "set ingress.hosts, such as [{host: bot.example.com}].",
  ],
  [
    "a route without a gateway",
    { ...LEAST, httpRoute: { enabled: true } },
    "set httpRoute.parentRefs, such as [{name: public}].",
  ],
  [
    "a node port of a ClusterIP",
    { ...LEAST, service: { nodePort: 30080 } },
    "set service.type to NodePort or LoadBalancer.",
  ],
  [
    "two monitors",
    { ...LEAST, serviceMonitor: { enabled: true }, podMonitor: { enabled: true } },
    "would both scrape the same pods: enable one.",
  ],
  [
    "nobody behind the Service",
    { ...LEAST, worker: { behindService: false } },
    "No pool of workers receives requests: set worker.behindService=true",
  ],
  ["a metrics API of one master", { ...LEAST, ...API, master: { replicas: 1 } }, "set master.replicas to 2 or more."],
  [
    "a certificate without its authority",
    { ...LEAST, externalMetrics: { apiService: { enabled: true, certificate: { existingSecret: "a" } } } },
    "set externalMetrics.apiService.certificate.caBundle to the PEM of the authority.",
  ],
])("%s", async (_name, values, sentence) => {
  expect(await refusal(values)).toContain(sentence);
});

test("all problems are told at once", async () => {
  const said = await refusal({ autoscaling: { min: 11 }, ingress: { enabled: true }, config: { tags: "gpu" } });
  expect(said).toContain("The values of antiphon do not fit together:");
  expect(said.match(/^ {2}- /gm)).toHaveLength(4);
});

test.each([
  ["an unknown key", { nonsense: 1 }, /additional properties 'nonsense' not allowed/],
  [
    "an unknown key below",
    { ...LEAST, worker: { replica: 3 } },
    /at '\/worker': additional properties 'replica' not allowed/,
  ],
  ["one of a pool", { ...LEAST, worker: { pools: { a: { queue: "x" } } } }, /'queue' not allowed/],
  ["one of an adapter", { ...LEAST, adapters: { irc: { host: "x" } } }, /'host' not allowed/],
  ["an unknown mode", { ...LEAST, autoscaling: { mode: "magic" } }, /must be one of 'builtin', 'keda'/],
  [
    "a wrong type",
    { ...LEAST, worker: { drainSeconds: "25s" } },
    /at '\/worker\/drainSeconds': got string, want integer/,
  ],
  ["a file of handlers that is none", { ...LEAST, handlers: { inline: { "a.sh": "" } } }, /'a.sh' not allowed/],
  ["a URL that is none", { redis: { url: "redis.example.com:6379" } }, /at '\/redis\/url'/],
  [
    "a name of a pool that fits no Deployment",
    { ...LEAST, worker: { pools: { Heavy_1: {} } } },
    /'Heavy_1' not allowed/,
  ],
])("the schema refuses %s", async (_name, values, sentence) => {
  expect(await refusal(values)).toMatch(sentence);
});

test("the schema leaves room for umbrella charts and YAML anchors, and for what Kubernetes takes", async () => {
  await render({
    ...LEAST,
    enabled: true,
    global: { imageRegistry: "x", anything: [1] },
    "x-anchor": { a: 1 },
    ".hidden": 1,
    worker: { "x-note": "mine", resources: { limits: { "nvidia.com/gpu": 1 } }, pools: { a: { "x-note": 1 } } },
    master: { strategy: { type: "Recreate", rollingUpdate: null } },
  });
});
