// The short form of `npm run chaos`. What we break: leaders, Redis and what lies between. What must hold: one voice at any
// instant, epochs that only grow, nothing accepted from the past, nothing lost. How long it takes is printed and no test.

import { expect, test } from "vitest";
import { table } from "../bench/report.ts";
import { withServer } from "../support/redis.ts";
import { SOURCES } from "./product.ts";
import { optionsOf, SCENARIOS, type Scenario } from "./scenarios.ts";

/** On a machine that has other things to do everything takes longer. */
const TEST_MS = 300_000;

async function sound(name: string): Promise<void> {
  const { run, short } = SCENARIOS[name] as Scenario;
  const { rows, problems } = await run(optionsOf(short, { entry: SOURCES, note: () => {} }));
  console.log(table(rows.filter(({ holds }) => holds !== undefined)));
  expect(rows.length).toBeGreaterThan(0);
  expect(problems).toEqual([]);
}

withServer("redis-server", () => {
  test(
    "leaders killed at any moment: another leads, nothing is lost, doubled or out of order",
    () => sound("kill"),
    TEST_MS,
  );
  test("leaders killed with a short Lease: the same", () => sound("kill-fast"), TEST_MS);
  test("leaders that hand over: nothing is lost, doubled or out of order", () => sound("handover"), TEST_MS);
  test(
    "leaders frozen and let go: nothing of them is accepted, and they end themselves",
    () => sound("freeze"),
    TEST_MS,
  );
  test("leaders whose event loop is blocked: another leads, and they end themselves", () => sound("block"), TEST_MS);
  test("Redis frozen for longer than a Lease: two never lead, and all goes on", () => sound("redis-frozen"), TEST_MS);
  test("Redis killed and started again: all goes on, nothing is lost", () => sound("redis-restarted"), TEST_MS);
  test("leaders cut off from Redis without a word: they fall silent, others lead", () => sound("blackhole"), TEST_MS);
  test(
    "Sentinels move the primary: epochs grow, and what was accepted is handled once",
    () => sound("sentinel"),
    TEST_MS,
  );
});
