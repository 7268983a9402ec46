import { expect, test } from "vitest";
import { Recent } from "../../../services/runtime/recent.ts";

let nowMs = 0;
const clock = { monotonic: () => nowMs };

test("it is read once at a time and again only when it is too old", async () => {
  let reads = 0;
  const recent = new Recent({ read: async () => ++reads, maxAgeMs: 1_000, clock });
  expect(await Promise.all([recent.get(), recent.get(), recent.get()])).toEqual([1, 1, 1]);
  nowMs += 1_000;
  expect(await recent.get()).toBe(1);
  nowMs += 1;
  expect(await Promise.all([recent.get(), recent.get()])).toEqual([2, 2]);
});

test("a failure is told to those who waited for it, and the next one reads anew", async () => {
  let isAway = true;
  let reads = 0;
  const read = async (): Promise<string> => {
    reads++;
    if (isAway) throw new Error("away");
    return "there";
  };
  const recent = new Recent({ read, maxAgeMs: 1_000, clock });
  const waiting = await Promise.allSettled([recent.get(), recent.get()]);
  expect(waiting.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(reads).toBe(1);
  isAway = false;
  expect(await recent.get()).toBe("there");
});
