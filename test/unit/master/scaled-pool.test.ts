// One pool's Deployment, scaled by its work: the API server is a small one of the tests, Redis and the registrations are real.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { orderWorker, quietPods } from "../../../services/broker/orders.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { eachServer } from "../../support/redis.ts";
import { COST, Fleet, MARK } from "../../support/scaled-fleet.ts";
import { waitFor } from "../../support/wait-for.ts";

eachServer((_name, getUrl) => {
  let redis: RedisClient;
  let fleet: Fleet;

  beforeAll(async () => {
    redis = openRedis({ url: getUrl(), name: "scaled", purpose: "commands", onState: () => {} });
    await waitFor(() => redis.ping());
  });
  afterAll(() => closeRedis(redis));
  afterEach(() => fleet.stop());

  describe("more", () => {
    test("is asked for with the first look, within the maximum, and told", async () => {
      fleet = await Fleet.of(redis, 2);
      const pool = await fleet.lead();
      await fleet.pass(pool, 1, 1);
      await fleet.pass(pool, 1, 48);
      expect(fleet.replicas).toBe(10);
      expect(fleet.of("scale.up")).toEqual([{ deployment: "worker", from: 2, to: 10, required: 48 }]);
      await expect
        .poll(() => fleet.api.events.map(({ reason, note }) => `${reason} ${note}`))
        .toEqual(["ScaledUp from 2 to 10: the work requires 48"]);
      expect(fleet.of("kubernetes.failed")).toEqual([]);
    });

    test("a fresh Deployment is brought to the minimum", async () => {
      fleet = await Fleet.of(redis, 1);
      await fleet.pass(await fleet.lead(), 1, undefined);
      expect(fleet.replicas).toBe(2);
      await expect.poll(() => fleet.api.events).toMatchObject([{ note: "from 1 to 2: the minimum is 2" }]);
    });

    test("is asked of what there is now, also if somebody changed it a moment ago", async () => {
      fleet = await Fleet.of(redis, 2);
      const pool = await fleet.lead();
      await fleet.pass(pool, 1, 2);
      fleet.api.deploy("worker", 6);
      await fleet.pass(pool, 1, 5);
      expect(fleet.replicas).toBe(6);
    });
  });

  describe("fewer", () => {
    test("those with the least to do are quieted, and removed when they are idle", async () => {
      fleet = await Fleet.of(redis, 8);
      const pool = await fleet.lead();
      const busy = fleet.api.podsOf("worker").slice(0, 6);
      for (const { name } of busy) await fleet.hold(name, 2);
      await fleet.pass(pool, 6, 3);
      const idle = fleet.api
        .podsOf("worker")
        .slice(6)
        .map(({ name }) => name);
      expect(await fleet.quieted()).toEqual(idle);
      expect(fleet.replicas).toBe(8);
      await fleet.pass(pool, 4, 3);
      expect(fleet.replicas).toBe(6);
      expect(fleet.api.removed.map(({ name }) => name).toSorted()).toEqual(idle);
      expect(fleet.api.removed.map(({ annotations }) => annotations[COST])).toEqual(["-100", "-100"]);
      expect(fleet.of("scale.down")).toEqual([{ deployment: "worker", from: 8, to: 6, required: 3, idle: 2, busy: 0 }]);
    });

    test("it goes down to the minimum, step by step, and of all that were removed none had work", async () => {
      fleet = await Fleet.of(redis, 10);
      const pool = await fleet.lead();
      await fleet.pass(pool, 90, 0);
      expect(fleet.replicas).toBe(2);
      expect(fleet.of("scale.down").map(({ from, to, busy }) => [from, to, busy])).toEqual([
        [10, 7, 0],
        [7, 5, 0],
        [5, 3, 0],
        [3, 2, 0],
      ]);
      expect([fleet.marked(), await fleet.quieted()]).toEqual([[], []]);
    });

    test("one that is busy is waited for", async () => {
      fleet = await Fleet.of(redis, 3);
      const pool = await fleet.lead();
      const claims = await Promise.all(fleet.api.podsOf("worker").map(({ name }) => fleet.hold(name, 1)));
      await fleet.pass(pool, 12, 1);
      const [victim = ""] = await fleet.quieted();
      expect(fleet.replicas).toBe(3);
      const at = fleet.api.podsOf("worker").findIndex(({ name }) => name === victim);
      await fleet.finish(victim, claims[at] ?? []);
      await fleet.pass(pool, 1, 1);
      expect(fleet.api.removed.map(({ name }) => name)).toEqual([victim]);
    });

    test("one that does not become idle goes on, and others are tried later; in the end a busy one goes", async () => {
      fleet = await Fleet.of(redis, 3);
      const pool = await fleet.lead();
      for (const { name } of fleet.api.podsOf("worker")) await fleet.hold(name, 1);
      await fleet.pass(pool, 27, 1);
      expect([fleet.replicas, await fleet.quieted(), fleet.marked()]).toEqual([3, [], []]);
      await fleet.pass(pool, 240, 1);
      expect(fleet.replicas).toBe(2);
      expect(fleet.of("scale.down")).toMatchObject([{ idle: 0, busy: 1 }]);
    });

    test("more work in the middle: the quiet go on at once, and then more are asked for", async () => {
      fleet = await Fleet.of(redis, 8);
      const pool = await fleet.lead();
      await fleet.pass(pool, 7, 3);
      expect((await fleet.quieted()).length).toBe(2);
      await fleet.pass(pool, 1, 8);
      expect([await fleet.quieted(), fleet.replicas]).toEqual([[], 8]);
      await fleet.pass(pool, 7, 3);
      expect((await fleet.quieted()).length).toBe(2);
      await fleet.pass(pool, 1, 10);
      expect([await fleet.quieted(), fleet.marked(), fleet.replicas]).toEqual([[], [], 10]);
    });

    test("an operator's orders stay, whoever they are for, and such a pod is not chosen", async () => {
      fleet = await Fleet.of(redis, 4);
      const pool = await fleet.lead();
      const [one, two, three, four] = fleet.api.podsOf("worker").map(({ name }) => name);
      await orderWorker(fleet.bench.context, four ?? "", "quiet");
      await fleet.pass(pool, 7, 3);
      expect(await fleet.quieted()).toEqual([three, four]);
      await orderWorker(fleet.bench.context, three ?? "", "quiet");
      await fleet.pass(pool, 1, 10);
      expect(await fleet.quieted()).toEqual([three, four]);
      expect([await fleet.order(one ?? ""), await fleet.order(two ?? "")]).toEqual(["", ""]);
    });

    test("what is not ready goes without being asked", async () => {
      fleet = await Fleet.of(redis, 4);
      const pool = await fleet.lead();
      const [first] = fleet.api.podsOf("worker");
      if (first) first.isReady = false;
      await fleet.pass(pool, 8, 3);
      expect(fleet.api.removed).toEqual([first]);
      expect(await fleet.quieted()).toEqual([]);
    });

    test("one that Kubernetes did not choose goes on after a minute, without its mark", async () => {
      fleet = await Fleet.of(redis, 3);
      const pool = await fleet.lead();
      const other = fleet.api.podsOf("worker")[0];
      await fleet.hold(other?.name ?? "", 1);
      await fleet.pass(pool, 7, 2);
      // It is not ready any more at the very moment when fewer are asked for.
      fleet.api.refuse = ({ method, path }) => {
        if (other && method === "PATCH" && path.endsWith("scale")) other.isReady = false;
        return undefined;
      };
      await fleet.pass(pool, 4, 2);
      expect(fleet.api.removed).toEqual([other]);
      expect(fleet.marked().length).toBe(1);
      await fleet.pass(pool, 61, 2);
      expect([fleet.marked(), await fleet.quieted(), fleet.replicas]).toEqual([[], [], 2]);
    });

    test("of very many twenty go at once, so that all are marked in time", async () => {
      fleet = await Fleet.of(redis, 45);
      await fleet.pass(await fleet.lead(), 1, 2);
      expect((await fleet.quieted()).length).toBe(20);
    });

    test("nobody goes who may be taking work again by now", async () => {
      fleet = await Fleet.of(redis, 4);
      const pool = await fleet.lead();
      let marks = 0;
      // The API server takes most of a minute for the first mark.
      fleet.api.refuse = ({ method, path }) => {
        if (method === "PATCH" && path.startsWith("pods/") && marks++ === 0) void fleet.clock.advance(55_000);
        return undefined;
      };
      await fleet.pass(pool, 10, 2);
      expect(marks).toBeGreaterThan(0);
      expect([fleet.replicas, await fleet.quieted(), fleet.marked()]).toEqual([4, [], []]);
    });

    test("nobody goes during a rollout", async () => {
      fleet = await Fleet.of(redis, 4);
      const pool = await fleet.lead();
      const [first] = fleet.api.podsOf("worker");
      if (first) first.revision = "b";
      await fleet.pass(pool, 30, 2);
      expect([fleet.replicas, await fleet.quieted()]).toEqual([4, []]);
      expect(pool.status).toContain("a rollout is under way");
      expect(fleet.asked("GET", /^pods$/).length).toBeLessThan(15);
      if (first) first.revision = "a";
      await fleet.pass(pool, 10, 2);
      expect(fleet.replicas).toBe(3);
    });
  });

  describe("leaders change in the middle", () => {
    test("the next one lets the quieted go on, then takes them itself; the former one can order nobody any more", async () => {
      fleet = await Fleet.of(redis, 4);
      const former = await fleet.lead();
      await fleet.pass(former, 7, 2);
      const [victim = ""] = await fleet.quieted();
      expect(victim).not.toBe("");
      const pod = fleet.api.pods.get(victim);
      if (pod) Object.assign(pod.annotations, { [COST]: "-100", [MARK]: "2026-01-01T00:00:00.000Z" });
      const next = await fleet.lead();
      await fleet.pass(former, 5, 2);
      expect(fleet.replicas).toBe(4);
      await fleet.pass(next, 1, 2);
      expect([await fleet.quieted(), fleet.marked()]).toEqual([[], []]);
      await fleet.pass(next, 20, 2);
      expect(fleet.replicas).toBe(2);
      expect(fleet.of("scale.down").length).toBe(2);
    });

    test("without any leader they go on by themselves after a minute", async () => {
      fleet = await Fleet.of(redis, 4);
      await fleet.lead();
      const { context } = fleet.bench;
      const [one = "", two = ""] = fleet.api.podsOf("worker").map(({ name }) => name);
      expect(await quietPods(context, { epoch: "1", pods: [one, two], ms: 60_000 })).toEqual([one, two]);
      expect(await fleet.quieted()).toEqual([one, two]);
      fleet.bench.offsetMs = 60_500;
      for (const { name } of fleet.api.podsOf("worker")) {
        await fleet.register(name);
      }
      expect(await fleet.quieted()).toEqual([]);
      await expect(quietPods(context, { epoch: "0", pods: [one], ms: 1 })).rejects.toMatchObject({ code: "FENCED" });
    });
  });

  describe("it holds", () => {
    test("while a HorizontalPodAutoscaler owns the Deployment, and says so", async () => {
      fleet = await Fleet.of(redis, 2);
      fleet.api.autoscalers.set("keda-hpa-worker", "Deployment/worker");
      const pool = await fleet.lead();
      await fleet.pass(pool, 20, 9);
      expect(fleet.replicas).toBe(2);
      expect(pool.status).toBe(
        "worker: holding: the HorizontalPodAutoscaler keda-hpa-worker scales this Deployment already",
      );
      expect(fleet.of("scale.held").length).toBe(1);
      await expect.poll(() => fleet.api.events).toMatchObject([{ reason: "ScaleRefused", type: "Warning" }]);
      fleet.api.autoscalers.clear();
      await fleet.pass(pool, 31, 9);
      expect(fleet.replicas).toBe(9);
    });

    test("another Deployment's autoscaler is none of its business", async () => {
      fleet = await Fleet.of(redis, 2);
      fleet.api.autoscalers.set("web", "Deployment/web").set("set", "StatefulSet/worker");
      await fleet.pass(await fleet.lead(), 1, 5);
      expect(fleet.replicas).toBe(5);
    });

    test("a rival that comes later is seen within half a minute", async () => {
      fleet = await Fleet.of(redis, 2);
      const pool = await fleet.lead();
      await fleet.pass(pool, 1, 2);
      fleet.api.autoscalers.set("hpa", "Deployment/worker");
      await fleet.pass(pool, 31, 2);
      await fleet.pass(pool, 5, 9);
      expect(fleet.replicas).toBe(2);
    });

    test("while the API server is away, and goes on by itself", async () => {
      fleet = await Fleet.of(redis, 8);
      const pool = await fleet.lead();
      await fleet.pass(pool, 7, 3);
      expect((await fleet.quieted()).length).toBe(2);
      fleet.api.refuse = () => 503;
      await fleet.pass(pool, 40, 3);
      expect([fleet.replicas, await fleet.quieted()]).toEqual([8, []]);
      expect(pool.status).toMatch(/^worker: holding: The API server of Kubernetes does not answer/);
      expect(fleet.api.requests.length).toBeLessThan(40);
      fleet.api.refuse = () => undefined;
      await fleet.pass(pool, 60, 3);
      expect(fleet.replicas).toBeLessThan(8);
      expect([fleet.marked(), pool.status]).toEqual([[], expect.stringContaining("3 required")]);
    });

    test("when somebody scaled it to nothing, until it is more again", async () => {
      fleet = await Fleet.of(redis, 0);
      const pool = await fleet.lead();
      await fleet.pass(pool, 15, 9);
      expect([fleet.replicas, pool.status]).toEqual([0, expect.stringContaining("somebody scaled it to 0")]);
      fleet.api.deploy("worker", 1);
      await fleet.pass(pool, 12, 9);
      expect(fleet.replicas).toBe(9);
    });

    test("while nobody knows a Deployment of this name", async () => {
      fleet = await Fleet.of(redis, 2);
      fleet.api.deployments.clear();
      const pool = await fleet.lead();
      await fleet.pass(pool, 3, 9);
      expect(pool.status).toContain("Kubernetes does not know this object. scale of worker: 404");
    });
  });

  test("rights that are missing are told, and what needs none of them is done", async () => {
    fleet = await Fleet.of(redis, 4);
    fleet.api.refuse = ({ path }) => (/^(pods|events|horizontal)/.test(path) ? 403 : undefined);
    const pool = await fleet.lead();
    await fleet.pass(pool, 8, 2);
    expect(fleet.replicas).toBe(3);
    await fleet.pass(pool, 5, 9);
    expect(fleet.replicas).toBe(9);
    expect(fleet.of("kubernetes.failed").length).toBe(1);
  });

  test("somebody else's change at the same moment is not overwritten", async () => {
    fleet = await Fleet.of(redis, 2);
    const pool = await fleet.lead();
    await fleet.pass(pool, 1, 2);
    let changes = 0;
    fleet.api.refuse = ({ method }) => {
      const deployment = fleet.api.deployments.get("worker");
      if (deployment && method === "PATCH" && changes++ === 0) deployment.version++;
      return undefined;
    };
    await fleet.pass(pool, 1, 6);
    expect(fleet.replicas).toBe(2);
    await fleet.pass(pool, 3, 6);
    expect([fleet.replicas, fleet.of("kubernetes.failed")]).toEqual([6, []]);
  });

  test("when nothing changes it asks the API server less than once in five seconds", async () => {
    fleet = await Fleet.of(redis, 3);
    const pool = await fleet.lead();
    await fleet.pass(pool, 10, 3);
    const before = fleet.api.requests.length;
    await fleet.pass(pool, 600, 3);
    expect(fleet.api.requests.length - before).toBeLessThan(120);
    expect(fleet.api.handshakes).toBeLessThanOrEqual(2);
  });
});
