// What is told of everything that is sent: per queue and script, not per delivery; refusals with their code.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Claims } from "../../../services/broker/claims.ts";
import type { BrokerContext } from "../../../services/broker/connection.ts";
import { fire, syncSchedules } from "../../../services/broker/cron.ts";
import { type Effect, writeEffects } from "../../../services/broker/effects.ts";
import { intake } from "../../../services/broker/intake.ts";
import { Producer } from "../../../services/broker/producer.ts";
import { Sending } from "../../../services/broker/sending.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { publicId } from "../../../services/runtime/ids.ts";
import { Bench, envelope, LIMITS, outcome, takeOne } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";

eachServer((_name, url) => {
  let client: RedisClient;
  let bench: Bench;
  let context: BrokerContext;
  /** In order; of a duration only that there is one. */
  let told: string[];

  beforeAll(() => {
    client = openRedis({ url: url(), name: "sending", purpose: "commands", onState: () => {} });
  });
  beforeEach(() => {
    bench = new Bench(client);
    told = [];
    const sending = new Sending({
      emit: (name, fields) => {
        if ("ms" in fields) told.push(`${name} ${String("operation" in fields && fields.operation)} ${fields.ms >= 0}`);
        else told.push(`${name} ${Object.values(fields).join(" ")}`.trim());
      },
    });
    context = { ...bench.context, sending };
  });
  afterAll(() => closeRedis(client));

  const delivery = (text: string) => ({ route: 7, envelope: envelope(text) });
  const child = (id: string, queue: string): Effect => ({ kind: "child", id, queue, delivery: delivery(id) });

  test("what is enqueued in one tick is told once for each queue", async () => {
    const producer = new Producer({ ...context, limits: LIMITS, random: Math.random });
    await Promise.all([...Array(20).keys()].map((n) => producer.enqueue(n < 5 ? "few" : "many", delivery(`${n}`))));
    expect(told.toSorted()).toEqual([
      "deliveries.sent few 5",
      "deliveries.sent many 15",
      "queue.asked send true",
      "queue.asked send true",
    ]);
  });

  test("a refusal is told with its code, and not how long it took", async () => {
    const producer = new Producer({ ...context, limits: { deliveries: 1, bytes: 1 }, random: Math.random });
    await producer.enqueue("small", delivery("one"));
    told = [];
    await expect(producer.enqueue("small", delivery("two"))).rejects.toMatchObject({ code: "QUEUE_FULL" });
    const fence = { unit: "fake", epoch: "1", part: "all" } as const;
    await client.set(context.keys.epoch("fake"), "2");
    await intake(context, { queue: "chat", limits: LIMITS, delivery: delivery("old"), fence });
    expect(told.filter((line) => line.startsWith("deliveries.sent"))).toEqual([
      "deliveries.sent small 1 QUEUE_FULL",
      "deliveries.sent chat 1 FENCED",
    ]);
  });

  test("children that a run awaits, and those that ride in its outcome if it is still its own", async () => {
    await bench.add("parent");
    const worker = new Claims({ ...context, queue: "default", wid: "w" });
    await worker.register({ clientId: "1", pod: "test" });
    const claim = await takeOne(worker);
    const origin = publicId(claim.id);
    const step: Effect = { kind: "step", id: "s", result: "1" };
    const awaited = { queue: "default", wid: "w", claim, origin };
    await writeEffects(context, { ...awaited, effects: [step] });
    expect(told).toEqual([]);
    await writeEffects(context, { ...awaited, effects: [child("a", "jobs"), step, child("b", "jobs")] });
    expect(told).toEqual(["queue.asked send true", "deliveries.sent jobs 2"]);
    told = [];
    const done = outcome(claim, "done", { effects: [child("c", "outbox/fake"), child("d", "jobs")] });
    await worker.settle([done]);
    await worker.settle([done]);
    expect(told).toEqual(["deliveries.sent outbox/fake 1", "deliveries.sent jobs 1"]);
  });

  test("a schedule's slot", async () => {
    await syncSchedules(context, "0", [{ id: "daily", definition: "x", description: {}, nextMs: 1 }]);
    const slot = { id: "daily", slotMs: 1 };
    await fire(context, { version: "0", slot, nextMs: undefined, queue: "default", delivery: delivery("slot") });
    expect(told).toEqual(["queue.asked send true", "deliveries.sent default 1"]);
  });
});
