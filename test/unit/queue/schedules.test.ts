// Schedules as operators edit them: what is shown, what an edit does, and what is refused with its reason.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { lookAtSchedules, syncSchedules } from "../../../services/broker/cron.ts";
import { decodeEnvelope, enqueuedAtMs } from "../../../services/broker/delivery.ts";
import { registerJobs, registerRoutes } from "../../../services/broker/routes.ts";
import { readEdits } from "../../../services/broker/schedules.ts";
import { Directory } from "../../../services/queue/directory.ts";
import { Schedules } from "../../../services/queue/schedules.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { job } from "../../../services/sdk/index.ts";
import { Bench, takeOne } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";

const Ship = job("ship", z.object({ name: z.string() }), { queue: "ships", tag: "eu" });
const DAILY = {
  route: "digest.daily",
  times: { kind: "cron", spec: "0 4 * * *", tz: "UTC" },
  misfire: "latest",
  overlap: "allow",
  queue: "slow",
  class: 2,
};

eachServer((_name, getUrl) => {
  let client: RedisClient;
  let bench: Bench;
  let schedules: Schedules;

  beforeAll(() => {
    client = openRedis({ url: getUrl(), name: "schedules", purpose: "commands", onState: () => {} });
  });
  afterAll(() => closeRedis(client));
  beforeEach(async () => {
    bench = new Bench(client);
    const { context, producer } = bench;
    schedules = new Schedules({ ...context, directory: new Directory(context, systemClock), producer });
    await registerRoutes(context, ["digest.daily", "ships.ship"]);
    await registerJobs(context, new Map([["ship", "ships.ship"]]));
    const { nowMs, version } = await lookAtSchedules(context, 1);
    const daily = { id: "digest.daily", definition: "d", description: DAILY, nextMs: nowMs + 60_000 };
    await syncSchedules(context, version, [daily]);
  });

  test("a handler's schedule is shown with its next slot", async () => {
    const { route, queue, times, misfire, overlap } = DAILY;
    const shown = { id: "digest.daily", route, queue, times, misfire, overlap };
    const plain = { paused: false, changed: false, added: false, next: expect.any(Date) as Date };
    expect(await schedules.list()).toEqual([{ ...shown, ...plain }]);
  });

  test("one that is paused has no next slot until it is resumed", async () => {
    await schedules.pause("digest.daily");
    const [paused] = await schedules.list();
    expect(paused).toMatchObject({ paused: true, changed: false });
    expect(paused).not.toHaveProperty("next");
    await schedules.resume("digest.daily");
    expect((await readEdits(bench.context)).edits.size).toBe(0);
    expect((await schedules.list())[0]?.paused).toBe(false);
  });

  test("other times keep what is not named, and a reset takes all of it back", async () => {
    await schedules.set("digest.daily", { tz: "Europe/Paris", overlap: "skip" });
    const times = { kind: "cron", spec: "0 4 * * *", tz: "Europe/Paris" };
    expect((await schedules.list())[0]).toMatchObject({ times, overlap: "skip", changed: true });
    await schedules.set("digest.daily", { every: "15m" });
    expect((await schedules.list())[0]).toMatchObject({ times: { periodMs: 900_000 }, overlap: "skip" });
    await schedules.pause("digest.daily");
    await schedules.reset("digest.daily");
    expect((await schedules.list())[0]).toMatchObject({
      times: DAILY.times,
      overlap: "allow",
      paused: false,
      changed: false,
    });
  });

  test.each([
    [{ spec: "0 4 * *" }, "is wrong"],
    [{ spec: "0 0 31 2 *" }, "never comes due"],
    [{ tz: "Mars" }, "is no time zone"],
    [{ every: "10ms" as const }, "at least 1s"],
    [{ every: "10" as never }, "a duration"],
    [{ every: "10m" as const, tz: "UTC" }, "every goes without"],
    [{ misfire: "never" as never, overlap: "no" as never }, "one of latest, skip, all; overlap must be"],
  ])("bad times are refused and change nothing: %o", async (change, problem) => {
    const refused = schedules.set("digest.daily", change);
    await expect(refused).rejects.toMatchObject({
      code: "CRON_INVALID",
      message: expect.stringContaining(problem) as string,
    });
    expect((await readEdits(bench.context)).edits.size).toBe(0);
  });

  test("a schedule that nobody has is refused with the nearest", async () => {
    const unknown = {
      code: "SCHEDULE_UNKNOWN",
      message: expect.stringContaining("Did you mean digest.daily?") as string,
    };
    await expect(schedules.pause("digest.dayly")).rejects.toMatchObject(unknown);
    await expect(schedules.run("digest.dayly")).rejects.toMatchObject(unknown);
  });

  test("run now is one delivery in the queue of the route, with the present time as its slot", async () => {
    const before = (await schedules.list())[0]?.next;
    const { id } = await schedules.run("digest.daily");
    expect(id).toMatch(/^[0-9a-z]+$/);
    const { body, element } = await takeOne(await bench.worker("w", "slow"));
    const { header, payload } = decodeEnvelope(body ?? Buffer.alloc(0));
    expect(header).toMatchObject({ kind: "cron", route: "digest.daily" });
    expect(element.class).toBe(2);
    const { slot } = JSON.parse(payload.toString()) as { slot: number };
    expect(Math.abs(slot - enqueuedAtMs(element.id))).toBeLessThan(5000);
    expect((await schedules.list())[0]?.next).toEqual(before);
  });

  test("a schedule that is added enqueues a job, and can be changed, run and removed", async () => {
    await schedules.add("fleet", { job: Ship, input: { name: "ann" }, spec: "0 5 * * *", tz: "UTC" });
    const added = { id: "fleet", route: "ships.ship", queue: "ships+eu", added: true, changed: false };
    expect((await schedules.list())[1]).toMatchObject(added);
    await schedules.set("fleet", { every: "1h" });
    await schedules.run("fleet");
    const { body } = await takeOne(await bench.worker("w", "ships+eu"));
    const { header, payload } = decodeEnvelope(body ?? Buffer.alloc(0));
    expect([header.kind, header.route, payload.toString()]).toEqual(["job", "ships.ship", '{"name":"ann"}']);
    await schedules.remove("fleet");
    expect(await schedules.list()).toHaveLength(1);
  });

  test("what cannot be added, removed or reset is refused", async () => {
    const every = "1h" as const;
    const refusals: [() => Promise<unknown>, string][] = [
      [() => schedules.add("digest.daily", { job: "ship", every }), "CRON_INVALID"],
      [() => schedules.add("a b", { job: "ship", every }), "CRON_INVALID"],
      [() => schedules.add("x", { job: "ship" }), "CRON_INVALID"],
      [() => schedules.add("x", { job: "ship", spec: "0 4 * * *" }), "CRON_INVALID"],
      [() => schedules.add("x", { job: "shop", every }), "ROUTE_UNKNOWN"],
      [() => schedules.add("x", { job: "ship", every, input: { at: new Date() } }), "INPUT_INVALID"],
      [() => schedules.add("x", { job: "ship", every, input: "x".repeat(70_000) }), "VALUE_TOO_LARGE"],
      [() => schedules.remove("digest.daily"), "CRON_INVALID"],
    ];
    for (const [refused, code] of refusals) await expect(refused()).rejects.toMatchObject({ code });
    await schedules.add("x", { job: "ship", every });
    await expect(schedules.reset("x")).rejects.toMatchObject({ code: "CRON_INVALID" });
  });
});
