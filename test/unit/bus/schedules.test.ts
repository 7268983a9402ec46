// Random schedules of readers, publishers and trouble on one server; the full number of them is run by `npm run chaos -- bus`.

import { expect, test } from "vitest";
import { insideSchedules, type Sum } from "../../chaos/bus/inside.ts";
import { type BusServer, PostgresBusServer, RedisBusServer } from "../../support/bus-servers.ts";
import { testPostgres, withPostgres } from "../../support/postgres.ts";
import { testRedis } from "../../support/redis.ts";

const SCHEDULES = 200;
/** Each of its messages waits for a disk. */
const ON_POSTGRES = 40;
const FIRST_SEED = 1;

async function run(server: BusServer, count: number): Promise<Sum> {
  try {
    return await insideSchedules({ server, from: FIRST_SEED, count });
  } finally {
    await server.stop();
  }
}

function expectSound(told: Sum, count: number): void {
  expect(told.problems).toEqual([]);
  expect(told.schedules).toBe(count);
  // They are no empty exercise.
  expect(told.heard).toBeGreaterThan(count * 10);
  expect(told.gaps).toBeGreaterThan(0);
}

test("200 random schedules of attach, publish, trim, loss, kill and restart: nothing is lost, doubled or out of order", async () => {
  expectSound(await run(new RedisBusServer((await testRedis()).url), SCHEDULES), SCHEDULES);
}, 120_000);

withPostgres(() => {
  test("40 of them in Postgres: nothing is lost, doubled or out of order", async () => {
    expectSound(await run(new PostgresBusServer(await testPostgres()), ON_POSTGRES), ON_POSTGRES);
  }, 120_000);
});
