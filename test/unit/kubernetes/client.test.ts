// The verbs of a Cluster against an API server over TLS: what is sent, how often it connects, and what goes wrong.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Client, openClient } from "../../../services/kubernetes/client.ts";
import { ApiServer } from "../../support/api-server.ts";
import { makeCertificate } from "../../support/certificate.ts";

let api: ApiServer;
let client: Client;

beforeEach(async () => {
  api = await new ApiServer().start();
  client = await openClient({ place: api.place(), timeoutMs: 20_000, now: () => Date.UTC(2026, 0, 2) });
});
afterEach(async () => {
  await client.close();
  await api.stop();
});

const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => "none",
    (error: { code: string }) => error.code,
  );

test("twenty calls make at most two handshakes", async () => {
  api.deploy("worker", 2);
  for (let call = 0; call < 20; call++) await client.scaleOf("worker");
  expect(api.requests.length).toBe(20);
  expect(api.handshakes).toBeLessThanOrEqual(2);
});

test("a scale is read and merged, and only as it was read", async () => {
  api.deploy("worker", 2);
  const scale = await client.scaleOf("worker");
  expect(scale).toEqual({
    deployment: "worker",
    uid: "uid-worker",
    version: "1",
    replicas: 2,
    selector: "app=worker",
  });
  expect(await client.setReplicas(scale, 5)).toMatchObject({ replicas: 5, version: "2" });
  expect(api.podsOf("worker").length).toBe(5);
  expect(await codeOf(client.setReplicas(scale, 9))).toBe("KUBERNETES_CONFLICT");
  expect(api.deployments.get("worker")?.replicas).toBe(5);
});

test("pods are listed by selector and annotated, each annotation by itself", async () => {
  api.deploy("worker", 2);
  api.deploy("other", 1);
  const [one, two] = api.podsOf("worker");
  if (!one || !two) throw new Error("no pods");
  one.isReady = false;
  two.isLeaving = true;
  two.annotations["kept"] = "1";
  await client.annotate(two.name, { mine: "x" });
  const pods = await client.pods("app=worker");
  expect(pods.map(({ name, isReady, isLeaving, revision }) => [name, isReady, isLeaving, revision])).toEqual([
    [one.name, false, false, "a"],
    [two.name, true, true, "a"],
  ]);
  expect(pods[0]?.createdAtMs).toBe(Math.floor(one.createdAtMs));
  expect(pods[1]?.annotations).toEqual({ kept: "1", mine: "x" });
  await client.annotate(two.name, { mine: null });
  expect((await client.pod(two.name)).annotations).toEqual({ kept: "1" });
});

test("autoscalers tell what they scale", async () => {
  api.autoscalers.set("keda-hpa-worker", "Deployment/worker");
  expect(await client.autoscalers()).toEqual([{ name: "keda-hpa-worker", target: "Deployment/worker" }]);
});

test("an event is one that kubectl shows", async () => {
  await client.tell({ reason: "ScaledUp", note: "2 to 5", about: { kind: "Deployment", name: "worker", uid: "u" } });
  expect(api.events).toEqual([
    {
      metadata: { generateName: "antiphon-", namespace: "bots" },
      eventTime: "2026-01-02T00:00:00.000000Z",
      reportingController: "antiphon.dev/master",
      reportingInstance: "master-1",
      action: "ScaledUp",
      reason: "ScaledUp",
      note: "2 to 5",
      type: "Normal",
      regarding: { apiVersion: "apps/v1", kind: "Deployment", name: "worker", namespace: "bots", uid: "u" },
    },
  ]);
});

test("refusals have codes, and say what was asked and answered", async () => {
  api.deploy("worker", 2);
  const codes = new Map([
    [400, "KUBERNETES_REFUSED"],
    [401, "KUBERNETES_FORBIDDEN"],
    [403, "KUBERNETES_FORBIDDEN"],
    [404, "KUBERNETES_MISSING"],
    [409, "KUBERNETES_CONFLICT"],
    [410, "KUBERNETES_CONFLICT"],
    [429, "KUBERNETES_UNAVAILABLE"],
    [500, "KUBERNETES_UNAVAILABLE"],
    [503, "KUBERNETES_UNAVAILABLE"],
  ]);
  for (const [status, code] of codes) {
    api.refuse = () => status;
    expect(await codeOf(client.pods("app=worker")), String(status)).toBe(code);
  }
  api.refuse = () => 403;
  await expect(client.scaleOf("worker")).rejects.toThrow("scale of worker: 403 refused with 403");
});

test("a server that is silent is given up in time, and asked over a new connection when it speaks again", async () => {
  await client.close();
  client = await openClient({ place: api.place(), timeoutMs: 300, now: Date.now });
  api.deploy("worker", 2);
  api.isSilent = true;
  expect(await codeOf(client.scaleOf("worker"))).toBe("KUBERNETES_UNAVAILABLE");
  api.isSilent = false;
  const before = api.handshakes;
  await expect.poll(() => codeOf(client.scaleOf("worker")), { timeout: 30_000 }).toBe("none");
  expect(api.handshakes).toBeGreaterThan(before);
});

test("a server that is not there is unavailable", async () => {
  const place = api.place();
  await api.stop();
  const alone = await openClient({ place, now: Date.now });
  expect(await codeOf(alone.autoscalers())).toBe("KUBERNETES_UNAVAILABLE");
  await alone.close();
  api = await new ApiServer().start();
});

test("a token that was replaced is read again", async () => {
  api.deploy("worker", 2);
  await client.scaleOf("worker");
  api.token = "secret-2";
  writeFileSync(join(api.folder, "token"), "secret-2");
  expect(await codeOf(client.scaleOf("worker"))).toBe("KUBERNETES_FORBIDDEN");
  expect(await codeOf(client.scaleOf("worker"))).toBe("none");
});

test("another authority's certificate ends the kept connection", async () => {
  api.deploy("worker", 2);
  await client.scaleOf("worker");
  writeFileSync(join(api.folder, "ca.crt"), makeCertificate().cert);
  expect(await codeOf(client.scaleOf("worker"))).toBe("KUBERNETES_UNAVAILABLE");
});
