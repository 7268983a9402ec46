// What a master answers to the probe that an orchestrator waits for before it ends the one that this one replaces.

import { expect, test } from "vitest";
import { masterHealth } from "../../../services/master/health.ts";
import type { MasterRedis } from "../../../services/master/redis.ts";
import { ManualClock } from "../../support/manual-clock.ts";

function probe() {
  const clock = new ManualClock();
  const around = { contact: false, stands: false };
  const stopping = new AbortController();
  const redis = {
    states: () => new Map(),
    get contact() {
      return around.contact;
    },
  } as unknown as MasterRedis;
  const health = masterHealth({
    redis,
    leaders: () => [],
    adapters: () => [],
    stands: () => around.stands,
    stopping: stopping.signal,
    clock,
  });
  const isServing = (): boolean => health.serving().every(({ ok }) => ok);
  return { clock, around, stopping, isServing };
}

test("it serves once it can take a Lease over, whatever becomes of Redis then, until it stops", () => {
  const { around, stopping, isServing } = probe();
  expect(isServing()).toBe(false);
  around.contact = true;
  expect(isServing()).toBe(false);
  around.stands = true;
  expect(isServing()).toBe(true);
  around.stands = false;
  expect(isServing()).toBe(true);
  stopping.abort();
  expect(isServing()).toBe(false);
});

test("an upgrade does not wait for it for ever, but always for Redis", async () => {
  const { clock, around, isServing } = probe();
  await clock.advance(60_000);
  expect(isServing()).toBe(false);
  around.contact = true;
  expect(isServing()).toBe(false);
  await clock.advance(10_000);
  expect(isServing()).toBe(true);
});
