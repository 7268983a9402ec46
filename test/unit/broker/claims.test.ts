// The life of a delivery through the real scripts: take, settle in every kind, effects, large bodies, limits.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { ClaimRef, Claims } from "../../../services/broker/claims.ts";
import { queueDepth } from "../../../services/broker/inspect.ts";
import { Producer } from "../../../services/broker/producer.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { publicId } from "../../../services/runtime/ids.ts";
import { Bench, envelope, outcome, payloadOf, TAKE, takeOne } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";

eachServer((_name, url) => {
  let client: RedisClient;
  let bench: Bench;

  beforeAll(() => {
    client = openRedis({ url: url(), name: "claims", purpose: "commands", onState: () => {} });
  });
  beforeEach(() => {
    bench = new Bench(client);
  });
  afterAll(() => closeRedis(client));

  const payloads = async (claims: Claims): Promise<string[]> => (await claims.take(TAKE)).runs.flat().map(payloadOf);

  test("what was enqueued is taken once, with its body, and is gone when done", async () => {
    const { id } = await bench.add("hello");
    const a = await bench.worker("w");
    const claim = await takeOne(a);
    expect(publicId(claim.id)).toBe(id);
    expect(String(claim.body)).toMatch(/\nhello$/);
    expect(await payloads(a)).toEqual([]);
    expect((await a.settle([outcome(claim, "done")])).settled).toEqual([true]);
    expect(await queueDepth(bench.context, "default")).toMatchObject({ ready: 0, claimed: 0, stored: 0 });
    expect((await a.settle([outcome(claim, "done")])).settled).toEqual([false]);
  });

  test("deliveries of one key are claimed one run at a time, in order, and a cold key is served between", async () => {
    for (let n = 0; n < 6; n++) await bench.add(`a${n}`, { key: "a" });
    await bench.add("b0", { key: "b" });
    const [w1, w2] = [await bench.worker("w1"), await bench.worker("w2")];
    const taken = await w1.take({ ...TAKE, slots: 1 });
    expect(taken.runs.flat().map((c) => payloadOf(c))).toEqual(["a0", "a1", "a2", "a3"]);
    expect(await payloads(w2)).toEqual(["b0"]);
    await w1.settle(taken.runs.flat().map((c) => outcome(c, "done")));
    expect(await payloads(w2)).toEqual(["a4", "a5"]);
  });

  test("block keeps the order of the key, skip lets it go on, and both count an attempt", async () => {
    await bench.add("1", { key: "k" });
    await bench.add("2", { key: "k" });
    const w = await bench.worker("w");
    const first = await takeOne(w);
    await w.settle([outcome(first, "block", { delayMs: 1000, error: "no" })]);
    expect(await payloads(w)).toEqual([]);
    bench.offsetMs = 1500;
    const again = (await w.take(TAKE)).runs.flat();
    expect(again.map((c) => [c.element.attempts, payloadOf(c)])).toEqual([
      [1, "1"],
      [0, "2"],
    ]);
    const [one, two] = again as unknown as [ClaimRef, ClaimRef];
    await w.settle([outcome(one, "skip", { delayMs: 1000 })]);
    await w.settle([outcome(two, "done")]);
    bench.offsetMs = 3000;
    expect((await w.take(TAKE)).runs.flat().map((c) => c.element.attempts)).toEqual([2]);
  });

  test("a dead letter keeps its body and its reason and frees its key", async () => {
    await bench.add("bad", { key: "k" });
    await bench.add("good", { key: "k" });
    const w = await bench.worker("w");
    const bad = await takeOne(w);
    const { settled } = await w.settle([outcome(bad, "dead", { error: "because" })]);
    expect(settled).toEqual([true]);
    expect(await queueDepth(bench.context, "default")).toMatchObject({ dead: 1, stored: 2 });
  });

  test("a worker that was reaped can write nothing, and its work runs elsewhere", async () => {
    await bench.add("x", { key: "k" });
    await bench.add("y");
    const [dead, living] = [await bench.worker("dead"), await bench.worker("living")];
    const claims = (await dead.take(TAKE)).runs.flat();
    await bench.pass(8, [living]);
    await expect(dead.settle(claims.map((c) => outcome(c, "done")))).rejects.toMatchObject({ code: "FENCED" });
    expect((await living.take(TAKE)).runs.flat().map((c) => c.element.crashes)).toEqual([1, 1]);
  });

  test("effects of settle are written with it, once per origin, and not by a run that lost its claim", async () => {
    await bench.add("parent");
    const w = await bench.worker("w");
    const claim = await takeOne(w);
    const child = {
      kind: "child",
      id: "e1",
      queue: "default",
      delivery: { route: 9, envelope: envelope("child") },
    } as const;
    await w.settle([outcome(claim, "skip", { effects: [child] })]);
    expect((await w.settle([outcome(claim, "done", { effects: [{ ...child, id: "e2" }] })])).settled).toEqual([false]);
    bench.offsetMs = 10;
    const next = (await w.take(TAKE)).runs.flat();
    expect(next.map((c) => c.element.route).sort()).toEqual([7, 9]);
    const parent = next.find((c) => c.element.route === 7) as ClaimRef;
    await w.settle([outcome(parent, "done", { effects: [child] })]);
    expect(await payloads(w)).toEqual([]);
  });

  test("a large body never passes a script and goes with its delivery", async () => {
    await bench.add("z".repeat(5000));
    const w = await bench.worker("w");
    const claim = await takeOne(w);
    expect(claim.body).toBeNull();
    expect(claim.bodyToken).toMatch(/^\w{22}:\d+$/);
    await w.settle([outcome(claim, "done")]);
    expect(await client.keys(`${bench.context.keys.tag}:*:b:*`)).toEqual([]);
    expect(await client.hget(`${bench.context.keys.queue("default")}:m`, "bodyBytes")).toBe("0");
  });

  test("a queue at its limit says so and stores nothing", async () => {
    const tight = new Producer({ ...bench.context, limits: { deliveries: 1, bytes: 1 }, random: Math.random });
    await tight.enqueue("default", { route: 1, envelope: envelope("1") });
    await expect(tight.enqueue("default", { route: 1, envelope: envelope("2") })).rejects.toMatchObject({
      code: "QUEUE_FULL",
    });
  });
});
