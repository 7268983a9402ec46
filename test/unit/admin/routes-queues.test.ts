// /api/queues: what it shows is so, and what it changes is changed in Redis.

import { describe, expect, test } from "vitest";
import { adminApis } from "../../support/admin-api.ts";
import { outcome } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";

eachServer((_name, url) => {
  const api = adminApis(url);

  test("queues come by their names, page by page, each with what is in it", async () => {
    for (const queue of ["b", "a", "c"]) await api().enqueue({ of: queue }, { queue });
    await api().bench.producer.enqueue("outbox/irc/libera", { route: 0, envelope: "x", key: "#ops" });
    const first = await api().get("/queues?limit=2");
    expect(first.items.map(({ name, ready }: { name: string; ready: number }) => [name, ready])).toEqual([
      ["a", 1],
      ["b", 1],
    ]);
    const second = await api().get(`/queues?limit=2&cursor=${first.cursor}`);
    expect(second.items.map(({ name }: { name: string }) => name)).toEqual(["c", "outbox/irc/libera"]);
    expect(second.cursor).toBeUndefined();
    expect((await api().get("/queues/outbox%2Firc%2Flibera")).ready).toBe(1);
  });

  test("a queue is paused and goes on, all of it, a route of it, or a key of it", async () => {
    const { bench } = api();
    const worker = await bench.worker("pod.1");
    await api().enqueue({ n: 1 }, { key: "north" });
    await api().done("POST", "/queues/default/pause", {});
    expect(await api().take(worker)).toEqual([]);
    expect((await api().get("/queues/default")).pauses).toMatchObject([{ kind: "queue" }]);
    await api().done("POST", "/queues/default/resume", {});
    await api().done("POST", "/queues/default/pause", { route: "reports.monthly" });
    await api().done("POST", "/queues/default/pause", { key: "south" });
    expect(await api().take(worker)).toEqual([]);
    expect((await api().get("/queues/default")).pauses.map(({ kind }: { kind: string }) => kind).sort()).toEqual([
      "key",
      "route",
    ]);
    await api().done("POST", "/queues/default/resume", { route: "reports.monthly" });
    expect(await api().take(worker)).toHaveLength(1);
  });

  test("limits are set over all workers, shown, and taken away", async () => {
    const worker = await api().bench.worker("pod.1");
    for (let n = 0; n < 3; n++) await api().enqueue({ n });
    const limits = { rate: { limit: 1, per: "1h", burst: 1 } };
    await api().done("PUT", "/queues/default/limits", limits);
    expect((await api().get("/queues/default")).limits).toEqual({ rate: { limit: 1, per: "3600000ms", burst: 1 } });
    expect(await api().take(worker)).toHaveLength(1);
    const refused = await api().ask("PUT", "/queues/default/limits", { rate: { limit: 1, per: "often" } });
    expect(refused).toMatchObject({ status: 400, body: { error: { code: "OPTIONS_INVALID" } } });
    await api().done("PUT", "/queues/default/limits", null);
    expect((await api().get("/queues/default")).limits).toEqual({});
  });

  test("what came of the last runs is in the history, the newest first", async () => {
    const worker = await api().bench.worker("pod.1");
    await api().enqueue();
    await api().enqueue();
    for (const claim of await api().take(worker)) {
      const line = { id: "x", kind: "job", routes: ["reports.monthly"], outcome: "done", attempt: 1, ms: 3 };
      await worker.settle([outcome(claim, "done", { history: JSON.stringify(line) })]);
    }
    const { items } = await api().get("/queues/default/history?limit=1");
    expect(items).toMatchObject([{ outcome: "done", routes: ["reports.monthly"], queue: "default" }]);
  });

  describe("keys", () => {
    test("the busiest keys come first, with what holds back those that wait", async () => {
      const { bench } = api();
      const worker = await bench.worker("pod.1");
      const add = async (key: string, count: number): Promise<void> => {
        for (let n = 0; n < count; n++) await api().enqueue({ n }, { key });
      };
      await add("failing", 2);
      const [failing] = await api().take(worker);
      if (failing === undefined) throw new Error("nothing to take");
      await worker.settle([outcome(failing, "block", { delayMs: 60_000, error: "no" })]);
      await add("running", 1);
      await api().take(worker);
      await add("held", 3);
      await api().done("POST", "/queues/default/pause", { key: "held" });
      await api().take(worker);
      await add("hot", 5);
      const { hottest, blocked, looked } = await api().get("/queues/default/keys");
      expect(hottest).toMatchObject([
        { key: "hot", waiting: 5, state: "ready" },
        { key: "held", waiting: 3, state: "paused" },
        { key: "failing", waiting: 2, state: "delayed" },
        { key: "running", waiting: 1, state: "running" },
      ]);
      expect(blocked.map(({ key, state }: { key: string; state: string }) => [key, state])).toEqual([
        ["failing", "delayed"],
        ["held", "paused"],
      ]);
      expect(Date.parse(blocked[0].until)).toBeGreaterThan(0);
      expect(looked).toBe(4);
      expect((await api().get("/queues/default/keys?limit=1")).hottest).toHaveLength(1);
    });

    test("of many keys each call looks at a page, and the next one goes on", async () => {
      await Promise.all(
        Array.from({ length: 600 }, (_, n) => api().bench.add("x", { key: `k${String(n).padStart(3, "0")}` })),
      );
      const seen = new Set<string>();
      let cursor = "";
      for (let pages = 0; pages < 10; pages++) {
        const page = await api().get(`/queues/default/keys?limit=200${cursor}`);
        expect(page.looked).toBeLessThanOrEqual(250);
        expect(page.keys).toBe(600);
        for (const { key } of page.hottest) seen.add(key);
        if (page.cursor === undefined) break;
        cursor = `&cursor=${page.cursor}`;
      }
      expect(seen.size).toBeGreaterThan(499);
    });
  });

  test("what is not in the schema is refused, and said", async () => {
    const answer = await api().ask("POST", "/queues/default/pause", { rout: "x" });
    expect(answer).toMatchObject({ status: 400, body: { error: { code: "REQUEST_INVALID" } } });
    expect(await api().ask("GET", "/queues?limit=1000000")).toMatchObject({ status: 400 });
    expect(await api().ask("GET", "/nowhere")).toMatchObject({ status: 404, body: { error: { code: "NOT_FOUND" } } });
  });
});
