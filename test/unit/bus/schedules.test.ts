// Random schedules of readers, publishers and trouble on one server; the full number of them is run by `npm run chaos -- bus`.

import { afterAll, beforeAll, expect, test } from "vitest";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { insideSchedules } from "../../chaos/bus/inside.ts";
import { testRedis } from "../../support/redis.ts";

const SCHEDULES = 200;
const FIRST_SEED = 1;

let admin: RedisClient;
let url: string;

beforeAll(async () => {
  ({ url } = await testRedis());
  admin = openRedis({ url, name: "schedules", purpose: "commands", onState: () => {} });
});

afterAll(() => closeRedis(admin));

test("200 random schedules of attach, publish, trim, loss, kill and restart: nothing is lost, doubled or out of order", async () => {
  const told = await insideSchedules({ url, admin, from: FIRST_SEED, count: SCHEDULES });
  expect(told.problems).toEqual([]);
  expect(told.schedules).toBe(SCHEDULES);
  // They are no empty exercise.
  expect(told.heard).toBeGreaterThan(SCHEDULES * 10);
  expect(told.gaps).toBeGreaterThan(0);
}, 120_000);
