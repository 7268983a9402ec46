// The client in its thread: answers, errors and refusals come over, and nothing is left waiting.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Pace } from "../../../services/kubernetes/pace.ts";
import { placeOf } from "../../../services/kubernetes/place.ts";
import { RemoteCluster } from "../../../services/kubernetes/remote.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { ApiServer } from "../../support/api-server.ts";
import { ManualClock } from "../../support/manual-clock.ts";

let api: ApiServer;
let cluster: RemoteCluster;

beforeEach(async () => {
  api = await new ApiServer().start();
  cluster = new RemoteCluster(api.place(), systemClock);
});
afterEach(async () => {
  await cluster.close();
  await api.stop();
});

test("every verb answers from the thread", async () => {
  api.deploy("worker", 1);
  const scale = await cluster.scaleOf("worker");
  expect(await cluster.setReplicas(scale, 2)).toMatchObject({ replicas: 2 });
  const [pod] = await cluster.pods(scale.selector);
  await cluster.annotate(pod?.name ?? "", { mine: "x" });
  expect((await cluster.pod(pod?.name ?? "")).annotations).toEqual({ mine: "x" });
  expect(await cluster.autoscalers()).toEqual([]);
  await cluster.tell({ reason: "ScaledUp", note: "", about: { kind: "Pod", name: "x" } });
  expect(api.events.length).toBe(1);
});

test("a refusal is the same error on this side", async () => {
  await expect(cluster.scaleOf("worker")).rejects.toMatchObject({
    code: "KUBERNETES_MISSING",
    message: "Kubernetes does not know this object. scale of worker: 404 refused with 404",
  });
});

test("closing rejects what is under way, and what is asked later", async () => {
  api.isSilent = true;
  const asked = cluster.scaleOf("worker");
  asked.catch(() => {});
  await expect.poll(() => api.requests.length, { timeout: 20_000 }).toBe(1);
  await cluster.close();
  await expect(asked).rejects.toMatchObject({ code: "KUBERNETES_UNAVAILABLE" });
  await expect(cluster.scaleOf("worker")).rejects.toMatchObject({ code: "KUBERNETES_UNAVAILABLE" });
});

test("a burst goes at once, then one at a time, in turn", async () => {
  const clock = new ManualClock();
  const pace = new Pace({ burst: 3, everyMs: 1_000, clock });
  const went: number[] = [];
  for (let turn = 1; turn <= 5; turn++) void pace.turn(new AbortController().signal).then(() => went.push(turn));
  await clock.advance(0);
  await expect.poll(() => went).toEqual([1, 2, 3]);
  await clock.advance(1_000);
  expect(went).toEqual([1, 2, 3, 4]);
  await clock.advance(1_000);
  expect(went).toEqual([1, 2, 3, 4, 5]);
});

test("a pod with a service account has a place, any other process none", () => {
  const folder = mkdtempSync(join(tmpdir(), "antiphon-place-"));
  const env = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443" };
  expect(placeOf(env, "master-1", folder)).toBeUndefined();
  writeFileSync(join(folder, "token"), "x");
  writeFileSync(join(folder, "namespace"), "bots\n");
  expect(placeOf({}, "master-1", folder)).toBeUndefined();
  expect(placeOf(env, "master-1", folder)).toEqual({
    server: "https://[fd00::1]:6443",
    namespace: "bots",
    folder,
    pod: "master-1",
  });
  rmSync(folder, { recursive: true });
});
