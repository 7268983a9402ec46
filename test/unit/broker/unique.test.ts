// What a second delivery of the same uid becomes, and that nothing keeps a uid for ever.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { deadLetters } from "../../../services/broker/dead.ts";
import { cancelDelivery, editDelivery, findDelivery } from "../../../services/broker/jobs.ts";
import type { NewDelivery, Uid } from "../../../services/broker/producer.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Bench, outcome, payloadOf, TAKE, takeOne } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";

const unique = (more: Partial<Uid> = {}): Partial<NewDelivery> => ({ uid: { id: "u", ttlMs: 60_000, ...more } });

eachServer((_name, url) => {
  let client: RedisClient;
  let bench: Bench;
  beforeAll(() => {
    client = openRedis({ url: url(), name: "unique", purpose: "commands", onState: () => {} });
  });
  afterAll(() => closeRedis(client));
  beforeEach(() => {
    bench = new Bench(client);
  });

  test("for a time: also when the first one is done", async () => {
    const worker = await bench.worker("w.1");
    const first = await bench.add("a", unique());
    await worker.settle([outcome(await takeOne(worker), "done")]);
    expect(await bench.add("b", unique())).toEqual({ id: first.id, duplicate: true });
  });

  test.each(["done", "dead"] as const)("until its end: free when the first one is %s", async (kind) => {
    const worker = await bench.worker("w.1");
    const first = await bench.add("a", unique({ until: "end" }));
    const claim = await takeOne(worker);
    expect((await bench.add("b", unique({ until: "end" }))).id).toBe(first.id);
    await worker.settle([outcome(claim, kind)]);
    expect((await bench.add("c", unique({ until: "end" }))).duplicate).toBe(false);
  });

  test("until its end: a retry that waits is not its end, a cancel is", async () => {
    const worker = await bench.worker("w.1");
    const first = await bench.add("a", unique({ until: "end" }));
    await worker.settle([outcome(await takeOne(worker), "skip", { delayMs: 60_000 })]);
    expect((await bench.add("b", unique({ until: "end" }))).id).toBe(first.id);
    expect(await cancelDelivery(bench.context, first.id)).toBe("cancelled");
    expect((await bench.add("c", unique({ until: "end" }))).duplicate).toBe(false);
  });

  test("until its end: one that was moved is still the first", async () => {
    const first = await bench.add("a", unique({ until: "end" }));
    expect(await editDelivery(bench.context, first.id, { delayMs: 60_000 })).toBe("edited");
    expect(await bench.add("b", unique({ until: "end" }))).toMatchObject({ duplicate: true });
  });

  test("until its start: free when a worker takes it", async () => {
    const worker = await bench.worker("w.1");
    const first = await bench.add("a", unique({ until: "start" }));
    expect((await bench.add("b", unique({ until: "start" }))).id).toBe(first.id);
    await takeOne(worker);
    expect((await bench.add("c", unique({ until: "start" }))).duplicate).toBe(false);
  });

  test("replace: what waits gets the new body, large and small, what runs keeps its own", async () => {
    const worker = await bench.worker("w.1");
    const replace = unique({ until: "end", repeat: "replace" });
    const first = await bench.add("x".repeat(5000), replace);
    expect(await bench.add("y".repeat(6000), replace)).toEqual({ id: first.id, duplicate: true });
    expect((await findDelivery(bench.context, first.id))?.payload.toString()).toBe("y".repeat(6000));
    await bench.add("new", replace);
    expect(await client.hget(`${bench.context.keys.queue("default")}:m`, "bodyBytes")).toBe("0");
    const claim = await takeOne(worker);
    expect(payloadOf(claim)).toBe("new");
    expect(await bench.add("late", replace)).toEqual({ id: first.id, duplicate: true });
    expect((await findDelivery(bench.context, first.id))?.payload.toString()).toBe("new");
    expect((await worker.take(TAKE)).runs).toEqual([]);
  });

  test("replace within one batch keeps one delivery with the last body", async () => {
    const worker = await bench.worker("w.1");
    const replace = unique({ until: "start", repeat: "replace" });
    const ids = await Promise.all(["a", "b", "c"].map((text) => bench.add(text, replace)));
    expect(new Set(ids.map(({ id }) => id)).size).toBe(1);
    expect(payloadOf(await takeOne(worker))).toBe("c");
    expect((await worker.take(TAKE)).runs).toEqual([]);
  });

  test("debounce: each repeat puts it off and changes it", async () => {
    const worker = await bench.worker("w.1");
    const debounce = { ...unique({ until: "start", repeat: "debounce" }), delayMs: 5000 };
    await bench.add("a", debounce);
    await bench.pass(4, [worker]);
    await bench.add("b", debounce);
    await bench.pass(4, [worker]);
    expect((await worker.take(TAKE)).runs).toEqual([]);
    await bench.pass(2, [worker]);
    expect(payloadOf(await takeOne(worker))).toBe("b");
    expect((await bench.add("c", debounce)).duplicate).toBe(false);
    expect(await deadLetters(bench.context, "default", { limit: 10 })).toEqual([]);
  });

  test("debounce of one that waits for others: another body, and it waits on", async () => {
    const worker = await bench.worker("w.1");
    const before = await bench.add("before");
    const debounce = { ...unique({ until: "end", repeat: "debounce" }), after: [before.id] };
    const [first] = await Promise.all([bench.add("a", debounce), bench.add("b", debounce)]);
    await bench.add("c", { ...debounce, delayMs: 1 });
    await bench.pass(2, [worker]);
    const claim = await takeOne(worker);
    expect(payloadOf(claim)).toBe("before");
    expect((await worker.take(TAKE)).runs).toEqual([]);
    expect((await findDelivery(bench.context, first.id))?.place).toBe("held");
    await worker.settle([outcome(claim, "done")]);
    expect(payloadOf(await takeOne(worker))).toBe("c");
  });
});
