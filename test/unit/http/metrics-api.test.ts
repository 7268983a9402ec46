// The external metrics API over real TLS, asked as the API server and an autoscaler's controller ask it, and as others might.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { quantityOf } from "../../../services/http/external-metrics.ts";
import { MetricsApi } from "../../../services/http/metrics-api.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import type { Sample } from "../../../services/telemetry/samples.ts";
import { type Authority, type Certificate, makeAuthority, makeCertificate } from "../../support/certificate.ts";
import { waitFor } from "../../support/wait-for.ts";

const ROOT = "/apis/external.metrics.k8s.io/v1beta1";
const HPA = "system:serviceaccount:kube-system:horizontal-pod-autoscaler";
/** As the controller of autoscalers asks through the API server. */
const AS_HPA = {
  "x-remote-user": HPA,
  "x-remote-group": ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
  "user-agent":
    "kube-controller-manager/v1.34.4 (linux/amd64) kubernetes/a1b2c3d/system:serviceaccount:kube-system:horizontal-pod-autoscaler",
  accept: "application/json",
};
/** As the API server looks whether it is there. */
const AS_AGGREGATOR = {
  "x-remote-user": "system:kube-aggregator",
  "x-remote-group": "system:masters",
  "user-agent": "Go-http-client/2.0",
};

/** A Kubernetes API that knows one ConfigMap. */
class FakeCluster {
  readonly authority = makeAuthority("cluster-ca");
  readonly #server: Server;
  data: Record<string, string> | undefined;
  asked: (string | undefined)[] = [];

  constructor() {
    const { cert, key } = this.authority.issue("kube-apiserver", ["localhost"]);
    this.#server = createServer({ cert, key }, ({ url, headers }, response) => {
      this.asked.push(`${url} ${headers.authorization}`);
      if (this.data === undefined) return void response.writeHead(500).end("{}");
      response.end(JSON.stringify({ kind: "ConfigMap", data: this.data }));
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

let folder: string;
let cluster: FakeCluster;
let frontProxy: Authority;
let serving: Authority;
let api: MetricsApi;
let samples: () => Promise<readonly Sample[]>;
let problems: unknown[];

const write = (file: string, text: string): void => writeFileSync(join(folder, file), text);

function writePair({ cert, key }: Certificate): void {
  write("tls.crt", cert);
  write("tls.key", key);
}

function trusting(more: Record<string, string> = {}): Record<string, string> {
  return {
    "client-ca-file": makeCertificate().cert,
    "requestheader-allowed-names": '["front-proxy-client"]',
    "requestheader-client-ca-file": frontProxy.cert,
    "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
    "requestheader-group-headers": '["X-Remote-Group"]',
    "requestheader-username-headers": '["X-Remote-User"]',
    ...more,
  };
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "antiphon-metrics-api-"));
  frontProxy = makeAuthority("front-proxy-ca");
  serving = makeAuthority("metrics-ca");
  problems = [];
  cluster = new FakeCluster();
  await cluster.start();
  cluster.data = trusting();
  write("token", "a-token\n");
  write("ca.crt", cluster.authority.cert);
  writePair(serving.issue("antiphon", ["antiphon-metrics-api.bots.svc"]));
  samples = async () => [
    { name: "antiphon_workers_required", labels: { pool: "default" }, value: 17 },
    { name: "antiphon_workers_required", labels: { pool: "heavy" }, value: 3 },
    { name: "antiphon_workers", labels: { pool: "heavy" }, value: 3 },
    { name: "antiphon_queue_oldest_age_seconds", labels: { queue: "default" }, value: 3.5 },
  ];
  api = new MetricsApi({
    host: "127.0.0.1",
    port: 0,
    certificate: folder,
    samples: () => samples(),
    account: { folder, server: `https://localhost:${cluster.port}`, namespace: "bots" },
    emit: (name, fields) => void problems.push({ name, ...fields }),
    // Looks come a hundred times as fast.
    clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 100, signal) },
    random: Math.random,
  });
  await api.start();
});
afterEach(async () => {
  await api.stop(1_000);
  cluster.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly type: string | undefined;
  readonly body: { [key: string]: unknown };
}

interface Ask {
  readonly headers?: Record<string, string | string[]>;
  readonly client?: Certificate | undefined;
  readonly method?: string;
}

function ask(path: string, { headers = AS_HPA, client = frontProxy.issue("front-proxy-client"), method }: Ask = {}) {
  return new Promise<Answer>((resolve, reject) => {
    const tls = { ca: serving.cert, servername: "antiphon-metrics-api.bots.svc", cert: client.cert, key: client.key };
    const options = {
      host: "127.0.0.1",
      port: api.port,
      path,
      headers,
      agent: false,
      ...tls,
      ...(method && { method }),
    };
    const asked = request(options, (response) => {
      let text = "";
      response.on("data", (piece) => (text += String(piece)));
      response.on("end", () => {
        const type = response.headers["content-type"];
        resolve({ status: response.statusCode ?? 0, type, body: JSON.parse(text) as Answer["body"] });
      });
    });
    asked.on("error", reject);
    asked.end();
  });
}

const until = (path: string, status: number, how: Ask = {}): Promise<Answer> =>
  waitFor(
    async () => {
      const answer = await ask(path, how);
      return answer.status === status ? answer : undefined;
    },
    { timeoutMs: 20_000, what: `${path} answers ${status}` },
  );
const REQUIRED = `${ROOT}/namespaces/bots/antiphon_workers_required`;

describe("what is asked", () => {
  beforeEach(() => waitFor(() => api.isServing, { timeoutMs: 20_000 }));

  test("the API server finds the resources, and so does everybody for whom it asks", async () => {
    const found = await ask(ROOT, { headers: AS_AGGREGATOR });
    expect([found.status, found.type]).toEqual([200, "application/json"]);
    expect(found.body).toEqual({
      kind: "APIResourceList",
      apiVersion: "v1",
      groupVersion: "external.metrics.k8s.io/v1beta1",
      resources: ["antiphon_workers_required", "antiphon_queue_depth", "antiphon_queue_oldest_age_seconds"].map(
        (name) => ({ name, singularName: "", namespaced: true, kind: "ExternalMetricValueList", verbs: ["get"] }),
      ),
    });
    const ann = { "x-remote-user": "ann", "x-remote-group": "system:authenticated", accept: "application/yaml;q=0.1" };
    expect(await ask(`${ROOT}?timeout=32s`, { headers: ann })).toEqual(found);
  });

  test("an autoscaler gets its pool's figure as a Quantity", async () => {
    const before = Date.now();
    const { status, type, body } = await ask(`${REQUIRED}?labelSelector=pool%3Dheavy`);
    expect([status, type]).toEqual([200, "application/json"]);
    expect(body).toEqual({
      kind: "ExternalMetricValueList",
      apiVersion: "external.metrics.k8s.io/v1beta1",
      metadata: {},
      items: [
        {
          metricName: "antiphon_workers_required",
          metricLabels: { pool: "heavy" },
          timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
          value: "3",
        },
      ],
    });
    const [item] = body["items"] as { timestamp: string }[];
    expect(Math.abs(Date.parse(item?.timestamp ?? "") - before)).toBeLessThan(20_000);
  });

  test("without a selector all pools are told, of an unknown one none, and fractions come in thousandths", async () => {
    const values = async (path: string): Promise<unknown[]> =>
      ((await ask(path)).body["items"] as { value: unknown }[]).map(({ value }) => value);
    expect(await values(REQUIRED)).toEqual(["17", "3"]);
    expect(await values(`${REQUIRED}?labelSelector=pool%20in%20(heavy%2Cother)`)).toEqual(["3"]);
    expect(await values(`${REQUIRED}?labelSelector=pool%3Dnobody`)).toEqual([]);
    expect(
      await values(`${ROOT}/namespaces/bots/antiphon_queue_oldest_age_seconds?labelSelector=queue%3Ddefault`),
    ).toEqual(["3500m"]);
  });

  test.each([
    [`${ROOT}/namespaces/bots/antiphon_workers`, 404, "NotFound"],
    [`${ROOT}/namespaces/others/antiphon_workers_required`, 404, "NotFound"],
    [`${REQUIRED}?labelSelector=%3D%3D`, 400, "BadRequest"],
    ["/openapi/v2", 404, "NotFound"],
    ["/openapi/v3", 404, "NotFound"],
    ["/apis", 404, "NotFound"],
    ["/", 404, "NotFound"],
    ["//", 404, "NotFound"],
  ])("%s is answered %i as a Status", async (path, code, reason) => {
    const { status, body } = await ask(path);
    expect([status, body]).toEqual([
      code,
      {
        kind: "Status",
        apiVersion: "v1",
        metadata: {},
        status: "Failure",
        reason,
        code,
        message: expect.any(String),
      },
    ]);
  });

  test("nothing can be written", async () => {
    expect((await ask(REQUIRED, { method: "POST" })).status).toBe(405);
  });

  test("while Redis is away figures are 503, and what there is can be found all the same", async () => {
    samples = async () => {
      throw new Error("away");
    };
    expect(await ask(REQUIRED)).toMatchObject({ status: 503, body: { kind: "Status", reason: "ServiceUnavailable" } });
    expect((await ask(ROOT, { headers: AS_AGGREGATOR })).status).toBe(200);
  });
});

describe("who asks", () => {
  beforeEach(() => waitFor(() => api.isServing, { timeoutMs: 20_000 }));

  test("figures are for the controller of autoscalers and for masters of the cluster", async () => {
    const as = (user: string, group: string) => ({ headers: { "x-remote-user": user, "x-remote-group": group } });
    expect((await ask(REQUIRED, as("kubernetes-admin", "system:masters"))).status).toBe(200);
    for (const [user, group] of [
      ["ann", "system:authenticated"],
      ["system:serviceaccount:bots:horizontal-pod-autoscaler", "system:serviceaccounts"],
      ["system:masters", "system:authenticated"],
      ["ann", "system:authenticated, system:masters"],
    ] as const) {
      expect(await ask(REQUIRED, as(user, group))).toMatchObject({ status: 403, body: { reason: "Forbidden" } });
    }
  });

  test("headers alone are nobody's word", async () => {
    for (const client of [
      { cert: "", key: "" },
      makeAuthority("front-proxy-ca").issue("front-proxy-client"),
      cluster.authority.issue("front-proxy-client"),
      frontProxy.issue("somebody-else"),
    ]) {
      for (const path of [REQUIRED, ROOT])
        expect(await ask(path, { client })).toMatchObject({ status: 401, body: { reason: "Unauthorized" } });
    }
    expect((await ask(ROOT, { headers: {} })).status).toBe(401);
  });
});

describe("whom it trusts", () => {
  test("the ConfigMap is read with the token, and read again: another authority, another name, another header", async () => {
    await until(ROOT, 200);
    expect(cluster.asked[0]).toBe(
      "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication Bearer a-token",
    );
    const old = frontProxy;
    frontProxy = makeAuthority("front-proxy-ca");
    cluster.data = trusting({ "requestheader-allowed-names": "[]", "requestheader-username-headers": '["X-User"]' });
    const headers = { "x-user": HPA };
    await until(REQUIRED, 200, { headers, client: frontProxy.issue("anybody") });
    expect((await ask(REQUIRED, { headers, client: old.issue("front-proxy-client") })).status).toBe(401);
    expect((await ask(REQUIRED, { headers: { "x-remote-user": HPA } })).status).toBe(401);
  });

  test("where the API server is away, what was known stays; where it takes the trust back, nobody is trusted", async () => {
    await until(REQUIRED, 200);
    const { data } = cluster;
    cluster.data = undefined;
    const asked = cluster.asked.length;
    await waitFor(() => cluster.asked.length > asked + 1, { timeoutMs: 20_000 });
    expect((await ask(REQUIRED)).status).toBe(200);
    cluster.data = { "client-ca-file": "x" };
    await until(REQUIRED, 401);
    cluster.data = { ...data, "requestheader-client-ca-file": "-----BEGIN CERTIFICATE-----\nbroken" };
    const again = cluster.asked.length;
    await waitFor(() => cluster.asked.length > again + 1, { timeoutMs: 20_000 });
    expect((await ask(REQUIRED)).status).toBe(401);
    cluster.data = trusting();
    await until(REQUIRED, 200);
    expect(problems).toContainEqual({ name: "loop.failed", loop: "metrics API", error: expect.any(Error) });
  });

  test("a certificate that is renewed is served, and a half of one never", async () => {
    await until(REQUIRED, 200);
    const old = serving;
    const next = makeAuthority("metrics-ca");
    const pair = next.issue("antiphon", ["antiphon-metrics-api.bots.svc"]);
    write("tls.crt", pair.cert);
    const asked = cluster.asked.length;
    await waitFor(() => cluster.asked.length > asked + 1, { timeoutMs: 20_000 });
    expect((await ask(REQUIRED)).status).toBe(200);
    write("tls.key", pair.key);
    serving = next;
    await until(REQUIRED, 200);
    serving = old;
    await expect(ask(REQUIRED)).rejects.toThrow(/certificate|signature|verify/);
    serving = next;
  });
});

test("before the API server has said whom to trust nobody is trusted", async () => {
  await api.stop(1_000);
  cluster.data = undefined;
  api = new MetricsApi({
    host: "127.0.0.1",
    port: 0,
    certificate: folder,
    samples: () => samples(),
    account: { folder, server: `https://localhost:${cluster.port}`, namespace: "bots" },
    emit: () => {},
    clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 100, signal) },
    random: Math.random,
  });
  await api.start();
  await waitFor(async () => (await ask(ROOT).catch(() => undefined))?.status === 401, { timeoutMs: 20_000 });
  cluster.data = trusting();
  await until(ROOT, 200);
});

test("a port that is taken fails the start, with the name of the setting", async () => {
  const other = new MetricsApi({
    host: "127.0.0.1",
    port: api.port,
    certificate: folder,
    samples: () => samples(),
    account: { folder, server: "https://localhost", namespace: "bots" },
    emit: () => {},
    clock: systemClock,
    random: Math.random,
  });
  await expect(other.start()).rejects.toThrow(/ANTIPHON_METRICS_API_PORT/);
});

test("quantities are whole or in thousandths", () => {
  expect([0, 17, 3.5, 0.0004, 1 / 3].map(quantityOf)).toEqual(["0", "17", "3500m", "0m", "333m"]);
});
