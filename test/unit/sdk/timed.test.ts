// What cron and every routes say beside their times.

import { expect, test } from "vitest";
import { readTimed, timedCtx } from "../../../services/sdk/timed.ts";

function read(options: Record<string, unknown>): { given: object; told: string[] } {
  const told: string[] = [];
  return { given: readTimed(options, (text) => told.push(text)), told };
}

test("what is given is kept, what is absent is left out", () => {
  expect(read({ misfire: "all", overlap: "skip" })).toEqual({ given: { misfire: "all", overlap: "skip" }, told: [] });
  expect(read({})).toEqual({ given: {}, told: [] });
});

test("other words are refused with those that are known", () => {
  expect(read({ misfire: "none", overlap: true })).toEqual({
    given: {},
    told: ['misfire must be one of "latest", "skip", "all"', 'overlap must be one of "allow", "skip"'],
  });
});

test("the slot of a run is that of its delivery; without one it is when it was enqueued", () => {
  expect(timedCtx('{"slot":1767225600000}', 5)).toEqual({ slot: new Date("2026-01-01T00:00:00Z") });
  for (const payload of ["", "{}", '{"slot":"x"}']) expect(timedCtx(payload, 5)).toEqual({ slot: new Date(5) });
});
