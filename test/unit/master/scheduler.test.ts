import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { BrokerContext } from "../../../services/broker/connection.ts";
import { decodeEnvelope } from "../../../services/broker/delivery.ts";
import { registerRoutes } from "../../../services/broker/routes.ts";
import { editSchedule, type ScheduleEdit } from "../../../services/broker/schedules.ts";
import type { Tenure } from "../../../services/leader/duty.ts";
import { Scheduler } from "../../../services/master/scheduler.ts";
import type { TimedRoute } from "../../../services/master/timetable.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { eachServer } from "../../support/redis.ts";
import { UnitKit } from "../../support/unit-kit.ts";
import { waitFor } from "../../support/wait-for.ts";

type Policy = Pick<TimedRoute, "misfire" | "overlap" | "queue">;
const every = (id: string, periodMs: number, policy: Policy = {}): TimedRoute => ({
  id,
  kind: "every",
  periodMs,
  ...policy,
});
const hourly = (policy: Policy = {}): TimedRoute => ({
  id: "digest.hourly",
  kind: "cron",
  spec: "0 * * * *",
  tz: "UTC",
  ...policy,
});
const HOUR_MS = 3_600_000;

let url = "";
let kit: UnitKit;
let broker: BrokerContext;
/** Added to the clock of the scripts. */
let skipMs = 0;
/** Added to the clock of the scheduler besides. */
let wrongMs = 0;
const running: Scheduler[] = [];

beforeEach(async () => {
  skipMs = 0;
  wrongMs = 0;
  kit = new UnitKit(url);
  broker = { ...(await kit.broker()), clockOffsetMs: () => skipMs };
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((scheduler) => scheduler.stop()));
  await kit.close();
});

async function schedule(routes: readonly TimedRoute[]): Promise<{ told: string[]; stop: () => Promise<void> }> {
  const told: string[] = [];
  const tenure: Tenure = {
    unit: "control",
    epoch: "1",
    signal: new AbortController().signal,
    held: () => true,
    confirmed: async () => true,
    assert: () => {},
  };
  const clock = { ...systemClock, now: () => Date.now() + skipMs + wrongMs };
  const emit = (name: string, fields: object): void => void told.push(`${name} ${JSON.stringify(fields)}`);
  const scheduler = new Scheduler({ broker, routes, tenure, clock, random: Math.random, emit });
  running.push(scheduler);
  await scheduler.start();
  return { told, stop: () => scheduler.stop() };
}

interface Fired {
  readonly route: string | undefined;
  readonly slot: number;
}

async function fired(queue = "default"): Promise<Fired[]> {
  const bodies = Object.values((await broker.client.hgetallBuffer(`${broker.keys.queue(queue)}:j`)) as object);
  return (bodies as Buffer[])
    .map((body) => decodeEnvelope(body))
    .map(({ header, payload }) => ({ route: header.route, slot: (JSON.parse(payload.toString()) as Fired).slot }))
    .sort((a, b) => a.slot - b.slot);
}

async function scores(): Promise<Record<string, number>> {
  const pairs = await broker.client.zrange(`${broker.keys.queue("default")}:s`, "0", "-1", "WITHSCORES");
  return Object.fromEntries(
    Array.from({ length: pairs.length / 2 }, (_, n) => [pairs[2 * n], Number(pairs[2 * n + 1])]),
  );
}

eachServer((_name, getUrl) => {
  beforeAll(() => {
    url = getUrl();
  });

  test("each slot of a period becomes one delivery, at its time", async () => {
    await schedule([every("ticker.tick", 200)]);
    await waitFor(async () => (await fired()).length >= 3);
    const slots = (await fired()).map(({ slot }) => slot);
    for (const [index, slot] of slots.entries()) expect(slot).toBe((slots[0] ?? 0) + 200 * index);
  });

  test("two schedulers at once fire each slot once", async () => {
    await schedule([every("ticker.tick", 200)]);
    await schedule([every("ticker.tick", 200)]);
    await waitFor(async () => (await fired()).length >= 4);
    const slots = (await fired()).map(({ slot }) => slot);
    expect(new Set(slots).size).toBe(slots.length);
  });

  /** Schedules the route, and then nobody leads until `hours` slots after the first one were missed by a minute. */
  async function missed(route: TimedRoute, hours: number, lateMs = 60_000): Promise<{ first: number; told: string[] }> {
    await synced(route);
    const first = (await scores())[route.id] ?? 0;
    skipMs = first + hours * HOUR_MS + lateMs - Date.now();
    const { told } = await schedule([route]);
    await waitFor(async () => ((await scores())[route.id] ?? 0) > Date.now() + skipMs);
    expect(await scores()).toEqual({ [route.id]: first + (hours + 1) * HOUR_MS });
    return { first, told };
  }

  /** Stored by a scheduler that has stopped again. */
  async function synced(...routes: TimedRoute[]): Promise<void> {
    const { stop } = await schedule(routes);
    await waitFor(
      async () =>
        Object.keys(await scores())
          .sort()
          .join() ===
        routes
          .map(({ id }) => id)
          .sort()
          .join(),
    );
    await stop();
  }

  describe("slots missed while nobody led", () => {
    test("become one run of the latest, and are told", async () => {
      const { first, told } = await missed(hourly(), 3);
      expect(await fired()).toEqual([{ route: "digest.hourly", slot: first + 3 * HOUR_MS }]);
      await waitFor(() => told.length === 2);
      expect(told).toContain('cron.missed {"route":"digest.hourly","slots":3}');
    });

    test("are left out where the schedule says so, and are told", async () => {
      const { told } = await missed(hourly({ misfire: "skip" }), 3);
      expect(await fired()).toEqual([]);
      await waitFor(() => told.length > 0);
      expect(told).toEqual(['cron.missed {"route":"digest.hourly","slots":4}']);
    });

    test("are no misses where only the leaders changed", async () => {
      const { first, told } = await missed(hourly({ misfire: "skip" }), 0, 7_000);
      expect(await fired()).toEqual([{ route: "digest.hourly", slot: first }]);
      await waitFor(() => told.length > 0);
      expect(told[0]).toMatch(/^cron.fired/);
    });

    test("are all run where the schedule says so, in order", async () => {
      const { first, told } = await missed(hourly({ misfire: "all" }), 3);
      const slots = [0, 1, 2, 3].map((hour) => ({ route: "digest.hourly", slot: first + hour * HOUR_MS }));
      expect(await fired()).toEqual(slots);
      expect(told.filter((line) => line.startsWith("cron.missed"))).toEqual([]);
    });

    test("are run up to a hundred, and more are told", async () => {
      const { first, told } = await missed(hourly({ misfire: "all" }), 200);
      const runs = await fired();
      expect(runs).toHaveLength(100);
      expect(runs[0]?.slot).toBe(first + 101 * HOUR_MS);
      await waitFor(() => told.some((line) => line.startsWith("cron.missed")));
    });
  });

  test("a slot whose predecessor has not finished is left out where the schedule says so, and is told", async () => {
    const { told } = await schedule([every("ticker.tick", 200, { overlap: "skip" })]);
    await waitFor(() => told.filter((line) => line.startsWith("cron.overlapped")).length >= 2);
    expect(await fired()).toHaveLength(1);
  });

  test("a schedule fires into the queue of its route", async () => {
    await schedule([every("ticker.tick", 200, { queue: "slow+eu" })]);
    await waitFor(async () => (await fired("slow+eu")).length >= 1);
    expect(await fired()).toEqual([]);
  });

  describe("what an operator edits", () => {
    const edit = (id: string, change: ScheduleEdit | undefined): Promise<void> =>
      editSchedule(broker, id, () => change);

    test("holds at once for whoever leads: paused, nothing fires; resumed, it begins anew", async () => {
      await schedule([every("ticker.tick", 100)]);
      await waitFor(async () => (await fired()).length >= 2);
      await edit("ticker.tick", { paused: true });
      const count = (await fired()).length;
      await waitFor(async () => Object.keys(await scores()).length === 0);
      expect(await fired()).toHaveLength(count);
      await edit("ticker.tick", undefined);
      await waitFor(async () => (await fired()).length > count);
    });

    test("survives a change of the leader and of the handler", async () => {
      await edit("ticker.tick", { times: { kind: "cron", spec: "0 0 1 1 *", tz: "UTC" } });
      await synced(every("ticker.tick", 100));
      await synced(every("ticker.tick", 200));
      expect(new Date((await scores())["ticker.tick"] ?? 0).toISOString()).toMatch(/-01-01T00:00:00.000Z$/);
      expect(await fired()).toEqual([]);
    });

    test("keeps the next slot when only a policy changes", async () => {
      await synced(every("ticker.tick", 600_000));
      const before = await scores();
      await edit("ticker.tick", { misfire: "all" });
      skipMs = 1_000;
      await synced(every("ticker.tick", 600_000));
      expect(await scores()).toEqual(before);
    });

    test("may be a schedule of its own, which enqueues a job", async () => {
      const job = { route: "deploy.ship", queue: "ships", input: '{"name":"ann"}' };
      await edit("mine", { job, times: { kind: "every", periodMs: 1000 } });
      await schedule([]);
      const body = await waitFor(async () => (await broker.client.hvalsBuffer(`${broker.keys.queue("ships")}:j`))[0]);
      const { header, payload } = decodeEnvelope(body);
      expect(header).toMatchObject({ kind: "job", route: "deploy.ship" });
      expect(payload.toString()).toBe(job.input);
      await edit("mine", undefined);
      await waitFor(async () => Object.keys(await scores()).length === 0);
    });

    test("and cannot be heeded is told, and the handler's times hold", async () => {
      await edit("ticker.tick", { times: { kind: "cron", spec: "0 0 31 2 *", tz: "UTC" } });
      const { told } = await schedule([every("ticker.tick", 200)]);
      await waitFor(async () => (await fired()).length >= 1);
      expect(told[0]).toMatch(/^cron.invalid .*never comes due/);
    });
  });

  test("the delivery carries the route's number", async () => {
    await schedule([every("ticker.tick", 200)]);
    await waitFor(async () => (await fired()).length >= 1);
    const number = (await registerRoutes(broker, ["ticker.tick"])).get("ticker.tick");
    const [element = ""] = await broker.client.lrange(`${broker.keys.queue("default")}:w1`, 0, 0);
    expect(element.split(":").at(-1)).toBe(String(number));
  });

  test("a route that is gone fires no more, a changed one starts anew", async () => {
    await synced(hourly(), every("ticker.tick", 600_000));
    const before = await scores();
    await synced(every("ticker.tick", 300_000));
    const after = await scores();
    expect(Object.keys(after)).toEqual(["ticker.tick"]);
    expect(after["ticker.tick"]).toBeLessThan(before["ticker.tick"] ?? 0);
  });

  test("the same schedule goes on where it was, under another leader", async () => {
    await synced(every("ticker.tick", 600_000));
    const before = await scores();
    skipMs = 1_000;
    await synced(every("ticker.tick", 600_000));
    expect(await scores()).toEqual(before);
  });

  test.each([-3_000, 3_000])("a scheduler whose clock is wrong by %i ms fires each slot in time", async (wrong) => {
    wrongMs = wrong;
    await schedule([every("ticker.tick", 200)]);
    await waitFor(async () => (await fired()).length >= 3, { timeoutMs: 1_500 });
    const slots = (await fired()).map(({ slot }) => slot);
    for (const [index, slot] of slots.entries()) expect(slot).toBe((slots[0] ?? 0) + 200 * index);
    expect(slots.at(-1)).toBeLessThanOrEqual(Date.now());
  });
});
