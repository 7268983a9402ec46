// Search: every place where a delivery can be is looked at, each filter holds, and a call reads a bounded amount.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { encodeEnvelope } from "../../../services/broker/delivery.ts";
import { cancelDelivery } from "../../../services/broker/jobs.ts";
import { pause } from "../../../services/broker/pauses.ts";
import { registerRoutes } from "../../../services/broker/routes.ts";
import { type FoundDelivery, searchDeliveries, type SearchQuery } from "../../../services/broker/search.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Bench, outcome, TAKE, takeOne } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";

eachServer((_name, url) => {
  let client: RedisClient;
  let bench: Bench;

  beforeAll(() => {
    client = openRedis({ url: url(), name: "search", purpose: "commands", onState: () => {} });
  });
  beforeEach(() => {
    bench = new Bench(client);
  });
  afterAll(() => closeRedis(client));

  /** Everything that fits, and how many calls it took. */
  async function all(query: Partial<SearchQuery> = {}): Promise<{ found: FoundDelivery[]; calls: number }> {
    const found: FoundDelivery[] = [];
    let cursor: string | undefined;
    let calls = 0;
    do {
      const more = cursor === undefined ? {} : { cursor };
      const page = await searchDeliveries(bench.context, { queues: ["default"], limit: 1000, ...query, ...more });
      found.push(...page.found);
      cursor = page.cursor;
      calls++;
    } while (cursor !== undefined);
    return { found, calls };
  }

  async function idsOf(query: Partial<SearchQuery>): Promise<string[]> {
    return (await all(query)).found.map(({ id }) => id).sort();
  }

  test("a delivery is found in whatever state it is, with what is known of it there", async () => {
    const worker = await bench.worker("w1");
    const dead = await bench.add("dead");
    await worker.settle([outcome(await takeOne(worker), "dead", { error: "broken" })]);
    const retried = await bench.add("retried", { key: "k2" });
    await worker.settle([outcome(await takeOne(worker), "block", { delayMs: 60_000, error: "again" })]);
    const [running, behind] = await Promise.all([bench.add("running", { key: "k1" }), bench.add("one", { key: "k1" })]);
    await worker.take({ ...TAKE, run: 1 });
    const [free, keyed, later] = await Promise.all([
      bench.add("free"),
      bench.add("keyed", { key: "k3" }),
      bench.add("later", { delayMs: 60_000, key: "k1" }),
    ]);
    const { found } = await all();
    const stateOf = (id: string): unknown => {
      const one = found.filter((delivery) => delivery.id === id);
      return one.map(({ state, key, wid, reason }) => [state, key, wid ?? reason ?? ""]);
    };
    expect(stateOf(dead.id)).toEqual([["dead", "", "broken"]]);
    expect(stateOf(retried.id)).toEqual([["waiting", "k2", ""]]);
    expect(stateOf(running.id)).toEqual([["claimed", "k1", "w1"]]);
    expect(stateOf(behind.id)).toEqual([["waiting", "k1", ""]]);
    expect(stateOf(free.id)).toEqual([["waiting", "", ""]]);
    expect(stateOf(keyed.id)).toEqual([["waiting", "k3", ""]]);
    expect(stateOf(later.id)).toEqual([["delayed", "k1", ""]]);
    expect(found.length).toBe(7);
    const due = found.find(({ id }) => id === later.id)?.dueMs ?? 0;
    expect(due - Date.now()).toBeGreaterThan(50_000);
    expect(found.find(({ id }) => id === retried.id)?.element.attempts).toBe(1);
    expect(await idsOf({ states: ["waiting"] })).toEqual([retried.id, behind.id, free.id, keyed.id].sort());
    expect(await idsOf({ states: ["claimed", "dead"] })).toEqual([running.id, dead.id].sort());
    expect(await idsOf({ states: ["delayed"] })).toEqual([later.id]);
    expect(await idsOf({ key: "k1" })).toEqual([running.id, behind.id, later.id].sort());
    expect(await idsOf({ key: "k1", states: ["waiting"] })).toEqual([behind.id]);
    expect(await idsOf({ key: "" })).toEqual([free.id, dead.id].sort());
  });

  test("what waits for others is held, and what is paused waits", async () => {
    const first = await bench.add("first", { delayMs: 60_000 });
    const second = await bench.add("second", { after: [first.id], key: "k" });
    await pause(bench.context, "default", { kind: "queue" });
    const [free, keyed] = await Promise.all([bench.add("free"), bench.add("keyed", { key: "p" })]);
    await (await bench.worker("w1")).take(TAKE);
    expect(await idsOf({ states: ["held"] })).toEqual([second.id]);
    expect(await idsOf({ states: ["delayed"] })).toEqual([first.id]);
    expect(await idsOf({ states: ["waiting"] })).toEqual([free.id, keyed.id].sort());
  });

  test("what was cancelled is not found", async () => {
    const { id } = await bench.add("x", { delayMs: 60_000 });
    await cancelDelivery(bench.context, id);
    expect((await all()).found).toEqual([]);
  });

  test("a cursor that makes no sense, or is of another search, finds nothing", async () => {
    await bench.add("x");
    for (const cursor of ["nonsense", Buffer.from('["gone","w1",0,[],0]').toString("base64url")])
      expect(await searchDeliveries(bench.context, { queues: ["default"], limit: 5, cursor })).toEqual({ found: [] });
  });

  test("route, handler, tag, text and age each leave out what does not fit", async () => {
    const numbers = await registerRoutes(bench.context, ["deploy.ship", "deploy.undo", "deployment.ship"]);
    const add = (route: string, text: string, tags?: readonly string[]) => {
      const envelope = encodeEnvelope({ v: 1, kind: "job", route, ...(tags && { tags }) }, text);
      return bench.add("", { route: numbers.get(route) ?? 0, envelope });
    };
    const ship = await add("deploy.ship", "to paris", ["eu"]);
    const undo = await add("deploy.undo", `${"x".repeat(5000)}paris`);
    const other = await add("deployment.ship", "to lyon", ["eu", "slow"]);
    expect(await idsOf({ route: "deploy.ship" })).toEqual([ship.id]);
    expect(await idsOf({ route: "deploy" })).toEqual([ship.id, undo.id].sort());
    expect(await idsOf({ route: "nowhere" })).toEqual([]);
    expect(await idsOf({ tag: "eu" })).toEqual([ship.id, other.id].sort());
    expect(await idsOf({ tag: "slow", route: "deploy" })).toEqual([]);
    expect(await idsOf({ text: "paris" })).toEqual([ship.id, undo.id].sort());
    expect(await idsOf({ olderThanMs: 30_000 })).toEqual([]);
    bench.offsetMs = 60_000;
    expect(await idsOf({ olderThanMs: 30_000, text: "lyon" })).toEqual([other.id]);
    expect(await idsOf({ youngerThanMs: 30_000 })).toEqual([]);
  });

  test("the age of a running delivery is that of its run", async () => {
    const { id } = await bench.add("slow");
    bench.offsetMs = 60_000;
    await takeOne(await bench.worker("w1"));
    expect(await idsOf({ states: ["claimed"], olderThanMs: 30_000 })).toEqual([]);
    bench.offsetMs = 120_000;
    expect(await idsOf({ states: ["claimed"], olderThanMs: 30_000 })).toEqual([id]);
  });

  test("the tag of a queue is a tag of what is in it", async () => {
    const envelope = encodeEnvelope({ v: 1, kind: "job" }, "x");
    const { id } = await bench.producer.enqueue("default+gpu", { route: 1, envelope });
    expect(await idsOf({ queues: ["default", "default+gpu"], tag: "gpu" })).toEqual([id]);
  });

  test("page by page each delivery is found once, long lists, many keys and claims included", async () => {
    const texts = Array.from({ length: 700 }, (_, index) => index);
    const added = await Promise.all(texts.map((n) => bench.add(`free ${n}`)));
    added.push(...(await Promise.all(texts.map((n) => bench.add(`hot ${n}`, { key: "hot" })))));
    added.push(...(await Promise.all(texts.map((n) => bench.add(`cold ${n}`, { key: `cold-${n % 150}` })))));
    await (await bench.worker("w1")).take({ ...TAKE, slots: 200, run: 16 });
    const expected = added.map(({ id }) => id).sort();
    const seven = await all({ limit: 7 });
    expect(seven.found.map(({ id }) => id).sort()).toEqual(expected);
    expect(seven.calls).toBeGreaterThanOrEqual(300);
    expect(await idsOf({ states: ["waiting", "claimed"] })).toEqual(expected);
    expect(await idsOf({ key: "hot" })).toHaveLength(700);
  });

  test("a call ends after a bounded number of deliveries, found or not", async () => {
    await Promise.all(Array.from({ length: 6000 }, () => bench.add("hay")));
    const { id } = await bench.add("needle", { delayMs: 1000 });
    const first = await searchDeliveries(bench.context, { queues: ["default"], limit: 10, text: "needle" });
    expect(first.found).toEqual([]);
    expect(first.cursor).toBeDefined();
    expect(await idsOf({ text: "needle", limit: 10 })).toEqual([id]);
  });

  test("what is taken while a search goes on keeps nothing else from being found", async () => {
    const added = await Promise.all(Array.from({ length: 1000 }, (_, n) => bench.add(`${n}`)));
    const worker = await bench.worker("w1");
    const query = { queues: ["default"], states: ["waiting"], limit: 300 } as const;
    const first = await searchDeliveries(bench.context, query);
    await worker.take({ ...TAKE, slots: 300 });
    const found = new Set(first.found.map(({ id }) => id));
    for (let { cursor } = first; cursor !== undefined;) {
      const page = await searchDeliveries(bench.context, { ...query, cursor });
      for (const { id } of page.found) found.add(id);
      cursor = page.cursor;
    }
    expect(added.slice(300).every(({ id }) => found.has(id))).toBe(true);
  });
});
