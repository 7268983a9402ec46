// Deliveries that wait for others: what lets them go, and what does not.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Claims } from "../../../services/broker/claims.ts";
import { deadLetters, purgeDead, retryDead } from "../../../services/broker/dead.ts";
import { cancelDelivery, editDelivery, findDelivery } from "../../../services/broker/jobs.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Bench, envelope, outcome, payloadOf, TAKE, takeOne } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";

eachServer((_name, url) => {
  let client: RedisClient;
  let bench: Bench;
  let worker: Claims;
  beforeAll(() => {
    client = openRedis({ url: url(), name: "after", purpose: "commands", onState: () => {} });
  });
  afterAll(() => closeRedis(client));
  beforeEach(async () => {
    bench = new Bench(client);
    worker = await bench.worker("w.1");
  });

  const taken = async (): Promise<string[]> => (await worker.take(TAKE)).runs.flat().map(payloadOf);
  const left = (): Promise<string[]> => client.keys(`${bench.context.keys.tag}:[ah]*`);

  test("it runs when the last of them is done, and nothing is left of the waiting", async () => {
    const [a, b] = [await bench.add("a"), await bench.add("b")];
    const then = await bench.add("then", { after: [a.id, b.id] });
    const claims = (await worker.take(TAKE)).runs.flat();
    expect((await findDelivery(bench.context, then.id))?.place).toBe("held");
    await worker.settle([outcome(claims[0] as never, "done")]);
    expect(await taken()).toEqual([]);
    await worker.settle([outcome(claims[1] as never, "done")]);
    expect(await taken()).toEqual(["then"]);
    expect(await left()).toEqual([]);
  });

  test("it runs at once when all have ended before, and after those of other queues", async () => {
    const a = await bench.add("a");
    await worker.settle([outcome(await takeOne(worker), "done")]);
    await bench.add("at once", { after: [a.id, "zzzzzzz"] });
    expect(await taken()).toEqual(["at once"]);
    const other = await bench.producer.enqueue("other", { route: 7, envelope: envelope("there") });
    await bench.add("then", { after: [other.id] });
    expect(await taken()).toEqual([]);
    const there = await bench.worker("w.2", "other");
    await there.settle([outcome(await takeOne(there), "done")]);
    expect(await taken()).toEqual(["then"]);
  });

  test("a retry is no end; a dead letter holds it back until it ran again or was purged", async () => {
    const [a, b] = [await bench.add("a"), await bench.add("b")];
    await bench.add("then", { after: [a.id, b.id] });
    const claims = (await worker.take(TAKE)).runs.flat();
    await worker.settle(claims.map((claim) => outcome(claim, "dead", { error: "no" })));
    expect(await taken()).toEqual([]);
    const letters = await deadLetters(bench.context, "default", { limit: 10 });
    await purgeDead(bench.context, "default", letters.slice(0, 1));
    await retryDead(bench.context, "default", letters.slice(1));
    await worker.settle([outcome(await takeOne(worker), "done")]);
    expect(await taken()).toEqual(["then"]);
  });

  test("a cancelled one counts as ended, one that was moved does not", async () => {
    const [a, b] = [await bench.add("a", { delayMs: 60_000 }), await bench.add("b")];
    await bench.add("then", { after: [a.id, b.id] });
    await cancelDelivery(bench.context, a.id);
    expect(await editDelivery(bench.context, b.id, { delayMs: 1000 })).toBe("edited");
    const tombstone = await takeOne(worker);
    expect(tombstone.body).toBeNull();
    await worker.settle([outcome(tombstone, "gone")]);
    expect(await taken()).toEqual([]);
    await bench.pass(2, [worker]);
    const moved = await takeOne(worker);
    expect(payloadOf(moved)).toBe("b");
    await worker.settle([outcome(moved, "done", { origin: b.id })]);
    expect(await taken()).toEqual(["then"]);
  });

  test("it can be cancelled, and several wait for one", async () => {
    const a = await bench.add("a");
    const [one, two] = [await bench.add("one", { after: [a.id] }), await bench.add("two", { after: [a.id], key: "k" })];
    const third = await bench.add("three", { after: [two.id] });
    expect(await cancelDelivery(bench.context, one.id)).toBe("cancelled");
    await worker.settle([outcome(await takeOne(worker), "done")]);
    const runs = (await worker.take(TAKE)).runs.flat();
    expect(runs.flatMap((claim) => (claim.body === null ? [] : [payloadOf(claim)]))).toEqual(["two"]);
    expect((await findDelivery(bench.context, third.id))?.place).toBe("held");
    await worker.settle(runs.map((claim) => outcome(claim, claim.body === null ? "gone" : "done")));
    expect(await taken()).toEqual(["three"]);
    expect(await left()).toEqual([]);
  });
});
