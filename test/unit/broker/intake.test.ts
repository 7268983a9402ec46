// The way in: fences, repeats, resume state, bells, schedules; and the way out through an outbox under an epoch.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readBody } from "../../../services/broker/bodies.ts";
import type { Claim } from "../../../services/broker/claims.ts";
import { intake, intakeAll, type IntakeAllCall, type IntakeCall } from "../../../services/broker/intake.ts";
import { OutboxClaims } from "../../../services/broker/outbox.ts";
import type { NewDelivery } from "../../../services/broker/producer.ts";
import { registerRoutes } from "../../../services/broker/routes.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Bench, envelope, LIMITS, outcome, payloadOf, TAKE, takeOne } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

eachServer((_name, url) => {
  let client: RedisClient;
  let ears: RedisClient;
  let bench: Bench;

  beforeAll(() => {
    client = openRedis({ url: url(), name: "intake", purpose: "commands", onState: () => {} });
    ears = openRedis({ url: url(), name: "ears", purpose: "subscriber", onState: () => {} });
  });
  beforeEach(() => {
    bench = new Bench(client);
  });
  afterAll(async () => {
    await closeRedis(client);
    await closeRedis(ears);
  });

  const event = (id: string, more: Partial<IntakeCall> = {}): IntakeCall => ({
    queue: "chat",
    limits: LIMITS,
    delivery: { route: 0, key: "room\nann", envelope: envelope(id), uid: { id, ttlMs: 60_000 } },
    ...more,
  });

  test("an event is stored once, with the resume state of its unit", async () => {
    await client.set(bench.context.keys.epoch("fake"), "7");
    const fence = { unit: "fake", epoch: "7", part: "all" } as const;
    const first = await intake(bench.context, event("e1", { fence, resume: { cursor: "10" } }));
    const again = await intake(bench.context, event("e1", { fence, resume: { cursor: "11" } }));
    expect([first.kind, again.kind]).toEqual(["stored", "duplicate"]);
    expect(again).toMatchObject({ id: first.kind === "stored" ? first.id : "" });
    expect(await client.hgetall(bench.context.keys.resume("fake"))).toEqual({ epoch: "7", cursor: "11" });
  });

  test("an old epoch stores nothing; of an overlapping unit only its resume state is refused", async () => {
    await client.set(bench.context.keys.epoch("fake"), "8");
    const old = { unit: "fake", epoch: "7" } as const;
    expect(await intake(bench.context, event("e1", { fence: { ...old, part: "all" } }))).toEqual({ kind: "fenced" });
    const overlap = await intake(
      bench.context,
      event("e2", { fence: { ...old, part: "resume" }, resume: { cursor: "1" } }),
    );
    expect(overlap.kind).toBe("stored");
    expect(await client.exists(bench.context.keys.resume("fake"))).toBe(0);
    const w = await bench.worker("w", "chat");
    expect((await w.take(TAKE)).runs.flat().map(payloadOf)).toEqual(["e2"]);
  });

  describe("several at once", () => {
    const batch = (ids: readonly string[], more: Partial<IntakeAllCall> = {}): IntakeAllCall => ({
      queue: "chat",
      limits: LIMITS,
      deliveries: ids.map((id) => event(id).delivery),
      ...more,
    });
    const texts = async (count: number): Promise<string[]> => {
      const w = await bench.worker("w", "chat");
      return (await w.take({ ...TAKE, run: count })).runs.flat().map(payloadOf);
    };

    test("are stored in their order, each once, with the resume state behind the last", async () => {
      await client.set(bench.context.keys.epoch("fake"), "7");
      const fence = { unit: "fake", epoch: "7", part: "all" } as const;
      const first = await intakeAll(bench.context, batch(["a", "b", "a"], { fence, resume: { cursor: "3" } }));
      const again = await intakeAll(bench.context, batch(["b", "c"], { fence, resume: { cursor: "4" } }));
      if (first === "fenced" || again === "fenced") throw new Error("fenced");
      expect([...first, ...again].map(({ kind }) => kind)).toEqual([
        "stored",
        "stored",
        "duplicate",
        "duplicate",
        "stored",
      ]);
      expect([first[2]?.id, again[0]?.id]).toEqual([first[0]?.id, first[1]?.id]);
      expect(await texts(8)).toEqual(["a", "b", "c"]);
      expect(await client.hgetall(bench.context.keys.resume("fake"))).toEqual({ epoch: "7", cursor: "4" });
    });

    test("under an old epoch none is stored", async () => {
      await client.set(bench.context.keys.epoch("fake"), "8");
      const fence = { unit: "fake", epoch: "7", part: "all" } as const;
      expect(await intakeAll(bench.context, batch(["a", "b"], { fence, resume: { cursor: "2" } }))).toBe("fenced");
      expect(await texts(8)).toEqual([]);
      expect(await client.exists(bench.context.keys.resume("fake"))).toBe(0);
    });

    test("none is stored where not all have room", async () => {
      const limits = { ...LIMITS, deliveries: 3 };
      await intakeAll(bench.context, batch(["a", "b"], { limits }));
      const more = batch(["c", "d"], { limits, resume: { cursor: "4" } });
      await expect(intakeAll(bench.context, more)).rejects.toMatchObject({ code: "QUEUE_FULL" });
      expect(await texts(8)).toEqual(["a", "b"]);
    });

    test("large bodies among them do not pass through the script", async () => {
      const large = "x".repeat(5_000);
      const call = batch(["a", "b"]);
      const [a, b] = call.deliveries as [NewDelivery, NewDelivery];
      await intakeAll(bench.context, { ...call, deliveries: [a, { ...b, envelope: envelope(large) }] });
      const w = await bench.worker("w", "chat");
      const [first, second] = (await w.take(TAKE)).runs.flat() as [Claim, Claim];
      expect([payloadOf(first), second.bodyToken]).toEqual(["a", expect.stringMatching(/./)]);
      const body = await readBody(bench.context, "chat", second.bodyToken);
      expect(String(body)).toBe(envelope(large));
    });
  });

  test("a person's own line is on the bus once, in the same script", async () => {
    const publish = { channel: "/chat/lobby", payload: "line" };
    await intake(bench.context, event("e1", { publish }));
    await intake(bench.context, event("e1", { publish }));
    expect(await client.xlen(`${bench.context.keys.bus()}:s:/chat/lobby`)).toBe(1);
  });

  test("one idle worker is rung for one delivery; a bell that nobody hears is passed on", async () => {
    const [deaf, hearing] = [await bench.worker("deaf"), await bench.worker("hearing")];
    await deaf.take(TAKE);
    await hearing.take(TAKE);
    let rings = 0;
    const count = (channel: string): void => {
      if (channel === hearing.bell) rings++;
    };
    ears.on("smessage", count);
    await ears.ssubscribe(hearing.bell);
    await bench.add("x");
    await waitFor(() => rings === 1, { what: "the bell" });
    await bench.add("y"); // it is not idle any more: nobody is rung
    await bench.add("z", { key: "k" });
    expect(rings).toBe(1);
    ears.off("smessage", count);
    await ears.sunsubscribe(hearing.bell);
  });

  test("an earlier due time rings an idle worker, so that nobody sleeps past it", async () => {
    const w = await bench.worker("w");
    expect((await w.take(TAKE)).nextDueMs).toBeNull();
    let rings = 0;
    const count = (): void => void rings++;
    ears.on("smessage", count);
    await ears.ssubscribe(w.bell);
    await bench.add("later", { delayMs: 5000 });
    await waitFor(() => rings === 1, { what: "the bell" });
    const { nextDueMs } = await w.take(TAKE);
    await bench.add("much later", { delayMs: 50_000 });
    bench.offsetMs = 5001;
    expect((await w.take(TAKE)).runs.flat().map(payloadOf)).toEqual(["later"]);
    expect(nextDueMs).toBeGreaterThan(Date.now());
    expect(rings).toBe(1);
    ears.off("smessage", count);
    await ears.sunsubscribe(w.bell);
  });

  test("route numbers are stable and never 0", async () => {
    const first = await registerRoutes(bench.context, ["a.x", "a.y"]);
    const again = await registerRoutes(bench.context, ["a.y", "a.z", "a.x"]);
    expect([...first.values()]).toEqual([1, 2]);
    expect(Object.fromEntries(again)).toEqual({ "a.x": 1, "a.y": 2, "a.z": 3 });
  });

  test("an outbox obeys the present epoch; what another epoch held is handed back in doubt, uncounted", async () => {
    const epochKey = bench.context.keys.epoch("fake");
    await client.set(epochKey, "1");
    const old = new OutboxClaims({ ...bench.context, unit: "fake", epoch: "1" });
    await old.recover();
    await bench.producer.enqueue("outbox/fake", { route: 0, key: "#ops", envelope: envelope("first") });
    await bench.producer.enqueue("outbox/fake", { route: 0, key: "#ops", envelope: envelope("second") });
    const inFlight = (await old.take({ ...TAKE, run: 1 })).runs.flat();
    expect(inFlight.map(payloadOf)).toEqual(["first"]);
    await bench.pass(60);
    await client.set(epochKey, "2");
    const next = new OutboxClaims({ ...bench.context, unit: "fake", epoch: "2" });
    expect([...(await next.recover()).keys()]).toEqual(inFlight.map((claim) => claim.id));
    await expect(old.settle(inFlight.map((claim) => outcome(claim, "done")))).rejects.toMatchObject({ code: "FENCED" });
    await expect(old.take(TAKE)).rejects.toMatchObject({ code: "FENCED" });
    const again = await takeOne(next);
    expect([payloadOf(again), again.element.crashes]).toEqual(["first", 0]);
    const effects = [{ kind: "ref", id: "", actionId: "a1", messageId: "m1" }] as const;
    expect((await next.settle([outcome(again, "done", { effects })])).settled).toEqual([true]);
    expect(await client.get(bench.context.keys.ref("a1"))).toBe("m1");
    expect((await next.recover()).size).toBe(0);
  });
});
