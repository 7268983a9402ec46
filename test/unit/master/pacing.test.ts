import { expect, test } from "vitest";
import { Pacing } from "../../../services/master/pacing.ts";
import { systemClock } from "../../../services/runtime/clock.ts";

function paced() {
  const time = { ms: 1_000 };
  const pacing = new Pacing({ ...systemClock, monotonic: () => time.ms });
  return { time, pacing };
}

const bucket = { key: "room:a", capacity: 2, refillPerSec: 1 };

test("a bucket gives its capacity at once and then refills", () => {
  const { time, pacing } = paced();
  expect(pacing.waitMs([bucket])).toBe(0);
  pacing.spend([bucket]);
  pacing.spend([bucket]);
  expect(pacing.waitMs([bucket])).toBe(1_000);
  time.ms += 600;
  expect(pacing.waitMs([bucket])).toBe(400);
  time.ms += 400;
  expect(pacing.waitMs([bucket])).toBe(0);
  time.ms += 60_000;
  pacing.spend([bucket]);
  pacing.spend([bucket]);
  expect(pacing.waitMs([bucket])).toBeGreaterThan(0);
});

test("the slowest bucket decides, and a bucket has room for what costs more only when it is full enough", () => {
  const { pacing } = paced();
  const all = { key: "all", capacity: 100, refillPerSec: 100 };
  expect(pacing.waitMs([all, { ...bucket, cost: 2 }])).toBe(0);
  pacing.spend([all, bucket]);
  expect(pacing.waitMs([all])).toBe(0);
  expect(pacing.waitMs([all, { ...bucket, cost: 2 }])).toBe(1_000);
});

test("a refusal blocks the bucket it names and no other", () => {
  const { time, pacing } = paced();
  const other = { key: "room:b", capacity: 2, refillPerSec: 1 };
  const all = { key: "all", capacity: 100, refillPerSec: 100 };
  pacing.block([all, bucket], 5_000, "room:a");
  expect(pacing.waitMs([all, bucket])).toBe(5_000);
  expect(pacing.waitMs([all, other])).toBe(0);
  time.ms += 5_000;
  expect(pacing.waitMs([all, bucket])).toBe(0);
});

test("a refusal that names no bucket we know blocks all of the Action's", () => {
  const { pacing } = paced();
  pacing.block([bucket], 5_000, "global");
  expect(pacing.waitMs([bucket])).toBe(5_000);
});

test("buckets of rooms long silent are forgotten", () => {
  const { time, pacing } = paced();
  for (let n = 0; n < 10_000; n++) pacing.spend([{ ...bucket, key: `room:${n}` }]);
  time.ms += 10_000;
  pacing.block([bucket], 60_000);
  expect(pacing.waitMs([bucket])).toBe(60_000);
});
