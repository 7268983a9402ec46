import { afterEach, beforeEach, expect, test } from "vitest";
import type { BrokerContext } from "../../../services/broker/connection.ts";
import { decodeEnvelope } from "../../../services/broker/delivery.ts";
import { registerRoutes } from "../../../services/broker/routes.ts";
import type { Tenure } from "../../../services/leader/leader.ts";
import { Scheduler } from "../../../services/master/scheduler.ts";
import type { TimedRoute } from "../../../services/master/slots.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { testRedis } from "../../support/redis.ts";
import { UnitKit } from "../../support/unit-kit.ts";
import { waitFor } from "../../support/wait-for.ts";

const every = (id: string, periodMs: number): TimedRoute => ({ id, kind: "every", periodMs });
const hourly: TimedRoute = { id: "digest.hourly", kind: "cron", spec: "0 * * * *", tz: "UTC" };

let kit: UnitKit;
let broker: BrokerContext;
/** Added to the clock of the scheduler and of the scripts. */
let skipMs = 0;
const running: Scheduler[] = [];

beforeEach(async () => {
  skipMs = 0;
  kit = new UnitKit((await testRedis()).url);
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
    assert: () => {},
  };
  const clock = { ...systemClock, now: () => Date.now() + skipMs };
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

async function fired(): Promise<Fired[]> {
  const bodies = Object.values((await broker.client.hgetallBuffer(`${broker.keys.queue("default")}:j`)) as object);
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

test("slots missed while nobody led become one run of the latest, and are told", async () => {
  await (await schedule([hourly])).stop();
  const next = (await scores())["digest.hourly"] ?? 0;
  skipMs = next + 3 * 3_600_000 + 60_000 - Date.now();
  const { told } = await schedule([hourly]);
  await waitFor(async () => (await fired()).length === 1);
  expect(await fired()).toEqual([{ route: "digest.hourly", slot: next + 3 * 3_600_000 }]);
  await waitFor(() => told.length === 2);
  expect(told[0]).toBe('cron.missed {"route":"digest.hourly","slots":3}');
  expect(await scores()).toEqual({ "digest.hourly": next + 4 * 3_600_000 });
});

test("the delivery carries the route's number", async () => {
  await schedule([every("ticker.tick", 200)]);
  await waitFor(async () => (await fired()).length >= 1);
  const number = (await registerRoutes(broker, ["ticker.tick"])).get("ticker.tick");
  const [element = ""] = await broker.client.lrange(`${broker.keys.queue("default")}:w1`, 0, 0);
  expect(element.split(":").at(-1)).toBe(String(number));
});

test("a route that is gone fires no more, a changed one starts anew", async () => {
  await (await schedule([hourly, every("ticker.tick", 600_000)])).stop();
  const before = await scores();
  await (await schedule([every("ticker.tick", 300_000)])).stop();
  const after = await scores();
  expect(Object.keys(after)).toEqual(["ticker.tick"]);
  expect(after["ticker.tick"]).toBeLessThan(before["ticker.tick"] ?? 0);
});

test("the same schedule goes on where it was, under another leader", async () => {
  await (await schedule([every("ticker.tick", 600_000)])).stop();
  const before = await scores();
  skipMs = 1_000;
  await (await schedule([every("ticker.tick", 600_000)])).stop();
  expect(await scores()).toEqual(before);
});

test("a scheduler whose clock is ahead of the server's waits for the server", async () => {
  await (await schedule([every("ticker.tick", 600_000)])).stop();
  const offset = skipMs;
  broker = { ...broker, clockOffsetMs: () => offset };
  skipMs = 700_000;
  const { told } = await schedule([every("ticker.tick", 600_000)]);
  const until = performance.now() + 600;
  await waitFor(() => performance.now() > until);
  expect(await fired()).toEqual([]);
  expect(told).toEqual([]);
});
