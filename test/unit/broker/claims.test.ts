// The life of a delivery through the real scripts: take, settle in every kind, release, reap, effects, intake, outbox.

import { randomUUID } from "node:crypto";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { Claims, type ClaimRef, type Settlement } from "../../../services/broker/claims.ts";
import type { BrokerContext } from "../../../services/broker/connection.ts";
import { encodeEnvelope } from "../../../services/broker/delivery.ts";
import { queueDepth } from "../../../services/broker/inspect.ts";
import { type NewDelivery, Producer } from "../../../services/broker/producer.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { publicId } from "../../../services/runtime/ids.ts";
import { eachServer } from "../../support/redis.ts";

const TAKE = { slots: 8, run: 4, order: "0123" };
const LIMITS = { deliveries: 1_000_000, bytes: 1 << 30 };

eachServer((_name, url) => {
  let client: RedisClient;
  let context: BrokerContext;
  let producer: Producer;
  let offsetMs = 0;

  beforeEach(() => {
    client ??= openRedis({ url: url(), name: "test", purpose: "commands", onState: () => {} });
    offsetMs = 0;
    context = { client, keys: new Keys(`t${randomUUID()}`, 0), clockOffsetMs: () => offsetMs };
    producer = new Producer({ ...context, limits: LIMITS, random: Math.random });
  });
  afterAll(() => closeRedis(client));

  const envelope = (text: string): Buffer => encodeEnvelope({ v: 1, kind: "job", at: 0 }, text);
  const add = (text: string, more: Partial<NewDelivery> = {}) =>
    producer.enqueue("default", { route: 7, envelope: envelope(text), ...more });
  const worker = async (name = "w1"): Promise<Claims> => {
    const claims = new Claims({ ...context, queue: "default", wid: name });
    await claims.register({ clientId: "1", pod: "p" });
    return claims;
  };
  const outcome = (claim: ClaimRef, kind: Settlement["kind"], more: Partial<Settlement> = {}): Settlement => ({
    claim,
    kind,
    origin: publicId(claim.id),
    effects: [],
    history: "",
    ...more,
  });
  const takeOne = async (claims: Claims) => {
    const [run] = (await claims.take(TAKE)).runs;
    const claim = run?.[0];
    if (!claim) throw new Error("nothing to take");
    return claim;
  };
  const bodies = async (claims: Claims): Promise<string[]> =>
    (await claims.take(TAKE)).runs.flat().map((claim) => String(claim.body).split("\n")[1] ?? "");

  test("what was enqueued is taken once, with its body, and is gone when done", async () => {
    const { id } = await add("hello");
    const a = await worker();
    const claim = await takeOne(a);
    expect(publicId(claim.id)).toBe(id);
    expect(String(claim.body)).toMatch(/\nhello$/);
    expect(await bodies(a)).toEqual([]);
    expect((await a.settle([outcome(claim, "done")])).settled).toEqual([true]);
    expect(await queueDepth(context, "default")).toMatchObject({ ready: 0, claimed: 0, stored: 0 });
    expect((await a.settle([outcome(claim, "done")])).settled).toEqual([false]);
  });

  test("deliveries of one key are claimed one run at a time, in order, and a cold key is served between", async () => {
    for (let n = 0; n < 6; n++) await add(`a${n}`, { key: "a" });
    await add("b0", { key: "b" });
    const [w1, w2] = [await worker("w1"), await worker("w2")];
    const taken = await w1.take({ ...TAKE, slots: 1 });
    expect(taken.runs.flat().map((c) => String(c.body).split("\n")[1])).toEqual(["a0", "a1", "a2", "a3"]);
    expect(await bodies(w2)).toEqual(["b0"]);
    await w1.settle(taken.runs.flat().map((c) => outcome(c, "done")));
    expect(await bodies(w2)).toEqual(["a4", "a5"]);
  });

  test("block keeps the order of the key, skip lets it go on, and both count an attempt", async () => {
    await add("1", { key: "k" });
    await add("2", { key: "k" });
    const w = await worker();
    const first = await takeOne(w);
    await w.settle([outcome(first, "block", { delayMs: 1000, error: "no" })]);
    expect(await bodies(w)).toEqual([]);
    offsetMs = 1500;
    const again = (await w.take(TAKE)).runs.flat();
    expect(again.map((c) => [c.element.attempts, String(c.body).split("\n")[1]])).toEqual([
      [1, "1"],
      [0, "2"],
    ]);
    const [one, two] = again as unknown as [ClaimRef, ClaimRef];
    await w.settle([outcome(one, "skip", { delayMs: 1000 })]);
    await w.settle([outcome(two, "done")]);
    offsetMs = 3000;
    expect((await w.take(TAKE)).runs.flat().map((c) => c.element.attempts)).toEqual([2]);
  });

  test("a dead letter keeps its body and its reason and frees its key", async () => {
    await add("bad", { key: "k" });
    await add("good", { key: "k" });
    const w = await worker();
    const bad = await takeOne(w);
    const { settled } = await w.settle([outcome(bad, "dead", { error: "because" })]);
    expect(settled).toEqual([true]);
    expect(await queueDepth(context, "default")).toMatchObject({ dead: 1, stored: 2 });
  });

  test("a worker that was reaped can write nothing, and its work runs elsewhere with one crash counted", async () => {
    await add("x", { key: "k" });
    await add("y");
    const [dead, living] = [await worker("dead"), await worker("living")];
    const claims = (await dead.take(TAKE)).runs.flat();
    await living.beat();
    offsetMs = 4000;
    await living.beat();
    offsetMs = 11_000;
    await living.beat();
    await expect
      .poll(async () => ((offsetMs += 2500), await living.beat(), (await queueDepth(context, "default")).claimed))
      .toBe(0);
    await expect(dead.settle(claims.map((c) => outcome(c, "done")))).rejects.toMatchObject({ code: "FENCED" });
    expect((await living.take(TAKE)).runs.flat().map((c) => c.element.crashes)).toEqual([1, 1]);
  });

  test("effects of settle are written with it, once per origin, and not by a run that lost its claim", async () => {
    await add("parent");
    const w = await worker();
    const claim = await takeOne(w);
    const child = {
      kind: "child",
      id: "e1",
      queue: "default",
      delivery: { route: 9, envelope: envelope("child") },
    } as const;
    await w.settle([outcome(claim, "skip", { effects: [child] })]);
    expect((await w.settle([outcome(claim, "done", { effects: [{ ...child, id: "e2" }] })])).settled).toEqual([false]);
    offsetMs = 10;
    const next = (await w.take(TAKE)).runs.flat();
    expect(next.map((c) => c.element.route).sort()).toEqual([7, 9]);
    const parent = next.find((c) => c.element.route === 7) as ClaimRef;
    await w.settle([outcome(parent, "done", { effects: [child] })]);
    expect(await bodies(w)).toEqual([]);
  });

  test("a large body never passes a script and goes with its delivery", async () => {
    await add("z".repeat(5000));
    const w = await worker();
    const claim = await takeOne(w);
    expect(claim.body).toBeNull();
    expect(claim.bodyToken).toMatch(/^\w{22}:\d+$/);
    await w.settle([outcome(claim, "done")]);
    expect(await client.keys(`${context.keys.tag}:*:b:*`)).toEqual([]);
    expect(await client.hget(`${context.keys.queue("default")}:m`, "bodyBytes")).toBe("0");
  });

  describe("refusals", () => {
    test("a queue at its limit says so and stores nothing", async () => {
      const tight = new Producer({ ...context, limits: { deliveries: 1, bytes: 1 }, random: Math.random });
      await tight.enqueue("default", { route: 1, envelope: envelope("1") });
      await expect(tight.enqueue("default", { route: 1, envelope: envelope("2") })).rejects.toMatchObject({
        code: "QUEUE_FULL",
      });
    });
  });
});
