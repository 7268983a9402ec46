// Rates, concurrency and pauses: what is not claimed, that it holds no slot, and when it is claimed after all.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Claims } from "../../../services/broker/claims.ts";
import { queueLimitsOf, setQueueLimits, setRouteLimits } from "../../../services/broker/limits.ts";
import { pause, pausesOf, resume } from "../../../services/broker/pauses.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Bench, envelope, outcome, payloadOf, TAKE } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";

const ROUTE = 7; // Bench.add
const MANY = { ...TAKE, slots: 100 };

eachServer((_name, url) => {
  let client: RedisClient;
  let bench: Bench;
  let worker: Claims;
  beforeAll(() => {
    client = openRedis({ url: url(), name: "limits", purpose: "commands", onState: () => {} });
  });
  afterAll(() => closeRedis(client));
  beforeEach(async () => {
    bench = new Bench(client);
    worker = await bench.worker("w.1");
  });

  const add = (count: number, more = {}): Promise<unknown> =>
    Promise.all(Array.from({ length: count }, (_, n) => bench.add(String(n), more)));
  const take = async (): Promise<string[]> => (await worker.take(MANY)).runs.flat().map(payloadOf);
  /** What is claimed in each of so many seconds. */
  const perSecond = async (seconds: number): Promise<number[]> => {
    const counts = [];
    for (let second = 0; second < seconds; second++) {
      await bench.pass(1, [worker]);
      counts.push((await take()).length);
    }
    return counts;
  };

  test("a rate spreads unkeyed deliveries evenly, over all workers, each once", async () => {
    await setRouteLimits(bench.context, new Map([[ROUTE, { rate: { limit: 2, perMs: 1000, by: "route" } }]]));
    await add(10);
    expect((await take()).length).toBe(1);
    const counts = await perSecond(6);
    expect(Math.max(...counts)).toBeLessThanOrEqual(3); // 2, and one for the rounding of seconds
    expect(counts.reduce((a, b) => a + b, 0)).toBe(9);
  });

  test("a burst may come at once", async () => {
    await setRouteLimits(bench.context, new Map([[ROUTE, { rate: { limit: 1, perMs: 1000, burst: 3, by: "route" } }]]));
    await add(5);
    expect((await take()).length).toBe(3);
    expect(await perSecond(3)).toEqual([1, 1, 0]);
  });

  test("a rate per key leaves other keys alone, keeps the key's order and holds no slot", async () => {
    await setRouteLimits(bench.context, new Map([[ROUTE, { rate: { limit: 1, perMs: 1000, by: "key" } }]]));
    for (const text of ["a1", "a2"]) await bench.add(text, { key: "a" });
    await bench.add("b1", { key: "b" });
    const first = (await worker.take(MANY)).runs.flat();
    expect(first.map(payloadOf).sort()).toEqual(["a1", "b1"]);
    await worker.settle(first.map((claim) => outcome(claim, "done")));
    expect(await take()).toEqual([]);
    await bench.pass(1, [worker]);
    expect(await take()).toEqual(["a2"]);
  });

  test("a rate of the queue counts all its routes", async () => {
    await setQueueLimits(bench.context, "default", { rate: { limit: 1, perMs: 1000 } });
    expect(await queueLimitsOf(bench.context, "default")).toEqual({ rate: { limit: 1, perMs: 1000, burst: 1 } });
    await bench.add("a");
    await bench.add("b", { route: 8 });
    expect((await take()).length).toBe(1);
    await setQueueLimits(bench.context, "default", null);
    await bench.pass(1, [worker]);
    expect((await take()).length).toBe(1);
  });

  test("at most so many of a route run at once, whatever ends them: settle, hand-back or death", async () => {
    await setRouteLimits(bench.context, new Map([[ROUTE, { concurrency: 2 }]]));
    await add(6);
    const [one, two] = (await worker.take(MANY)).runs.flat();
    expect(await take()).toEqual([]);
    await worker.settle([outcome(one as never, "done")]);
    await bench.pass(1, [worker]);
    expect((await take()).length).toBe(1);
    await worker.release([two as never]);
    await bench.pass(1, [worker]);
    expect((await take()).length).toBe(1);
    const heir = await bench.worker("w.2");
    await bench.pass(12, [heir]);
    expect((await heir.take(MANY)).runs.length).toBe(2);
    expect((await heir.take(MANY)).runs.length).toBe(0);
  });

  test("at most so many of a queue run at once, of all its routes and keys, and other queues do not count", async () => {
    await setQueueLimits(bench.context, "default", { concurrency: 3 });
    await add(4);
    await bench.add("keyed", { key: "k" });
    await bench.add("another", { route: 9 });
    await bench.producer.enqueue("other", { route: ROUTE, envelope: envelope("elsewhere") });
    const held = (await worker.take(MANY)).runs.flat();
    expect(held).toHaveLength(3);
    expect(await (await bench.worker("w.2")).take(MANY)).toMatchObject({ runs: [] });
    expect((await (await bench.worker("w.3", "other")).take(MANY)).runs).toHaveLength(1);
    await worker.settle(held.slice(0, 2).map((claim) => outcome(claim, "done")));
    await bench.pass(1, [worker]);
    expect(await take()).toHaveLength(2);
    await setQueueLimits(bench.context, "default", null);
    await bench.pass(1, [worker]);
    expect(await take()).toHaveLength(1);
  });

  test("what runs no more but is still counted is found out when the limit is reached", async () => {
    await setRouteLimits(bench.context, new Map([[ROUTE, { concurrency: 1 }]]));
    const prefix = bench.context.keys.queue("default");
    await client.sadd(`${bench.context.keys.tag}:l:r${ROUTE}`, `${prefix}\0gone\u00001`);
    await add(1);
    expect((await take()).length).toBe(1);
  });

  test("a paused queue hands out nothing until it is resumed", async () => {
    await pause(bench.context, "default", { kind: "queue" });
    await add(3);
    await bench.add("k", { key: "k" });
    expect(await take()).toEqual([]);
    expect(await pausesOf(bench.context, "default")).toMatchObject([{ kind: "queue" }]);
    await resume(bench.context, "default", { kind: "queue" });
    expect((await take()).length).toBe(4);
  });

  test("a paused route lets the others pass, however many wait before them", async () => {
    await pause(bench.context, "default", { kind: "route", route: ROUTE });
    await add(150);
    await bench.add("k", { key: "k" });
    await bench.add("other", { route: 8 });
    const passed: string[] = [];
    for (let takes = 0; takes < 5; takes++) passed.push(...(await take()));
    expect(passed).toEqual(["other"]);
    await resume(bench.context, "default", { kind: "route", route: ROUTE });
    const resumed: string[] = [];
    for (let takes = 0; takes < 5; takes++) resumed.push(...(await take()));
    expect(resumed.length).toBe(151);
  });

  test("a paused key waits, and keeps its order", async () => {
    await pause(bench.context, "default", { kind: "key", key: "a" });
    for (const text of ["a1", "a2"]) await bench.add(text, { key: "a" });
    await bench.add("b1", { key: "b" });
    expect(await take()).toEqual(["b1"]);
    await bench.add("a3", { key: "a" });
    await resume(bench.context, "default", { kind: "key", key: "a" });
    expect(await take()).toEqual(["a1", "a2", "a3"]);
  });

  test("two pauses: it waits for the end of both", async () => {
    await pause(bench.context, "default", { kind: "route", route: ROUTE });
    await pause(bench.context, "default", { kind: "key", key: "a" });
    await bench.add("a1", { key: "a" });
    await take();
    await resume(bench.context, "default", { kind: "route", route: ROUTE });
    expect(await take()).toEqual([]);
    await resume(bench.context, "default", { kind: "key", key: "a" });
    expect(await take()).toEqual(["a1"]);
  });
});
