// Outcomes are plain data that another copy of the library can read.

import { expect, test } from "vitest";
import { discard, done, fail, isOutcome, retryLater } from "../../../services/sdk/outcome.ts";

test("outcomes are plain frozen data that survives a copy", () => {
  for (const outcome of [done(), done("said"), retryLater("10s"), discard("too old"), fail("gone")]) {
    expect(Object.isFrozen(outcome)).toBe(true);
    expect(isOutcome(JSON.parse(JSON.stringify(outcome)))).toBe(true);
  }
});

test("retryLater takes milliseconds or a duration", () => {
  expect(retryLater(250)).toEqual({ "~outcome": "retryLater", delayMs: 250, mode: "block" });
  expect(retryLater("1.5m", { mode: "skip" })).toEqual({ "~outcome": "retryLater", delayMs: 90_000, mode: "skip" });
});

test("retryLater refuses what is no time", () => {
  for (const wrong of [Number.NaN, -1, Number.POSITIVE_INFINITY, "10" as "10s", "soon" as "10s"])
    expect(() => retryLater(wrong)).toThrow(/neither milliseconds nor a duration/);
});

test("other values are no outcomes", () => {
  for (const value of [
    undefined,
    null,
    "done",
    1,
    [],
    {},
    { kind: "done" },
    { "~outcome": "else" },
    { "~outcome": {} },
  ])
    expect(isOutcome(value)).toBe(false);
});
