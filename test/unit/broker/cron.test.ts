// Schedules in Redis: which slots are fired, and what becomes of them when somebody edits a schedule.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { fire, type FireCall, lookAtSchedules, syncSchedules } from "../../../services/broker/cron.ts";
import { editSchedule, readEdits, shownSchedules } from "../../../services/broker/schedules.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Bench, envelope, outcome, payloadOf, takeOne } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";

const MORNING = { id: "digest.morning", definition: "a", description: { times: { kind: "every", periodMs: 60_000 } } };

eachServer((_name, getUrl) => {
  let client: RedisClient;
  let bench: Bench;

  beforeAll(() => {
    client = openRedis({ url: getUrl(), name: "cron", purpose: "commands", onState: () => {} });
  });
  afterAll(() => closeRedis(client));
  beforeEach(() => {
    bench = new Bench(client);
  });

  const look = () => lookAtSchedules(bench.context, 10);

  /** One schedule, due in a second. */
  async function scheduled(): Promise<FireCall> {
    const { nowMs, version } = await look();
    await syncSchedules(bench.context, version, [{ ...MORNING, nextMs: nowMs + 1000 }]);
    const [slot] = (await look()).slots;
    if (!slot) throw new Error("no slot");
    const delivery = { route: 3, envelope: envelope("tick") };
    return { version, slot, nextMs: slot.slotMs + 60_000, queue: "default", delivery };
  }

  test("a slot is fired once, and not before it is due", async () => {
    const call = await scheduled();
    expect(await fire(bench.context, call)).toBeNull();
    bench.offsetMs = 2000;
    expect(await fire(bench.context, call)).toEqual({
      id: expect.stringMatching(/^[0-9a-z]+$/) as string,
      duplicate: false,
    });
    expect(await fire(bench.context, call)).toBeNull();
    expect((await look()).slots).toEqual([{ id: MORNING.id, slotMs: call.nextMs }]);
    const [shown] = await shownSchedules(bench.context);
    expect(shown).toMatchObject({ id: MORNING.id, lastMs: call.slot.slotMs, nextMs: call.nextMs });
  });

  test("a slot goes to the queue that is named, or is left out", async () => {
    const call = await scheduled();
    bench.offsetMs = 2000;
    await fire(bench.context, { ...call, queue: "reports" });
    const reports = await bench.worker("w", "reports");
    expect(payloadOf(await takeOne(reports))).toBe("tick");
    bench.offsetMs = 62_000;
    const { version, slot, queue } = { ...call, slot: { id: MORNING.id, slotMs: call.nextMs ?? 0 } };
    expect(await fire(bench.context, { version, slot, queue, nextMs: undefined })).toEqual({
      id: "",
      duplicate: false,
    });
    expect((await look()).slots).toEqual([]);
  });

  test("what an unfinished run keeps from running is told", async () => {
    const call = await scheduled();
    const delivery = {
      route: 3,
      envelope: envelope("tick"),
      uid: { id: "cron:x", ttlMs: 60_000, until: "end" as const },
    };
    bench.offsetMs = 200_000;
    const fireAt = (slotMs: number) =>
      fire(bench.context, { ...call, delivery, slot: { id: MORNING.id, slotMs }, nextMs: slotMs + 60_000 });
    const { slotMs } = call.slot;
    expect(await fireAt(slotMs)).toMatchObject({ duplicate: false });
    expect(await fireAt(slotMs + 60_000)).toMatchObject({ duplicate: true });
    const worker = await bench.worker("w");
    await worker.settle([outcome(await takeOne(worker), "done")]);
    expect(await fireAt(slotMs + 120_000)).toMatchObject({ duplicate: false });
  });

  test("schedules that are gone fire no more, changed ones start anew, the same go on", async () => {
    const { version } = await look();
    const sync = (...schedules: { id: string; definition: string; nextMs: number | undefined }[]) =>
      syncSchedules(
        bench.context,
        version,
        schedules.map((schedule) => ({ ...schedule, description: {} })),
      );
    await sync({ id: "a", definition: "1", nextMs: 1 }, { id: "b", definition: "1", nextMs: 2 });
    await sync({ id: "b", definition: "1", nextMs: 20 }, { id: "c", definition: "1", nextMs: 3 });
    expect((await look()).slots.map(({ id, slotMs }) => [id, slotMs])).toEqual([
      ["b", 2],
      ["c", 3],
    ]);
    await sync({ id: "b", definition: "2", nextMs: 20 }, { id: "c", definition: "", nextMs: undefined });
    expect((await look()).slots).toEqual([{ id: "b", slotMs: 20 }]);
  });

  test("a slot that belongs to no schedule goes with the next leader", async () => {
    const { client: redis, keys } = bench.context;
    await redis.zadd(`${keys.queue("default")}:s`, 5, "nobody.knows");
    await redis.hset(`${keys.queue("default")}:sl`, "nobody.knows", "5");
    await scheduled();
    expect((await look()).slots.map(({ id }) => id)).toEqual([MORNING.id]);
    expect(await redis.exists(`${keys.queue("default")}:sl`)).toBe(0);
  });

  test("whoever has not read the newest edit fires nothing and stores nothing", async () => {
    const call = await scheduled();
    bench.offsetMs = 2000;
    await editSchedule(bench.context, MORNING.id, () => ({ paused: true }));
    expect(await fire(bench.context, call)).toBeNull();
    expect(await syncSchedules(bench.context, call.version, [])).toBe(false);
    const { version, edits } = await readEdits(bench.context);
    expect(edits).toEqual(new Map([[MORNING.id, { paused: true }]]));
    expect(await fire(bench.context, { ...call, version })).not.toBeNull();
  });

  test("of two edits of one schedule none is lost, and an edit can be taken back", async () => {
    let tries = 0;
    await editSchedule(bench.context, "a", (edit) => ({ ...edit, misfire: "all" }));
    await Promise.all([
      editSchedule(bench.context, "a", (edit) => ({ ...edit, paused: true, ...(++tries && {}) })),
      editSchedule(bench.context, "a", (edit) => ({ ...edit, overlap: "skip", ...(++tries && {}) })),
    ]);
    const all = { misfire: "all", paused: true, overlap: "skip" };
    expect((await readEdits(bench.context)).edits.get("a")).toEqual(all);
    expect(tries).toBe(3);
    await editSchedule(bench.context, "a", () => undefined);
    expect((await readEdits(bench.context)).edits.size).toBe(0);
  });

  test("whoever is always too late with an edit is told so", async () => {
    const { client, keys } = bench.context;
    let others = 0;
    const tooLate = editSchedule(bench.context, "a", () => {
      void client.hset(`${keys.queue("default")}:so`, "a", JSON.stringify({ others: ++others }));
      return { paused: true };
    });
    await expect(tooLate).rejects.toMatchObject({ code: "CONFLICT" });
  });

  test("what an operator added is shown before any leader has read it", async () => {
    const job = { route: "deploy.ship", queue: "default", input: "{}" };
    await editSchedule(bench.context, "mine", () => ({ job, times: { kind: "every", periodMs: 1000 } }));
    expect(await shownSchedules(bench.context)).toMatchObject([{ id: "mine", description: undefined, edit: { job } }]);
  });
});
