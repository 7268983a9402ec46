// Times that somebody asks for: what is refused, and with which words.

import { expect, test } from "vitest";
import { timesProblems } from "../../../services/runtime/cron-times.ts";

test("times that come are sound", () => {
  expect(timesProblems({ kind: "cron", spec: "0 9 * * 1-5", tz: "Europe/Paris" })).toEqual([]);
  expect(timesProblems({ kind: "every", periodMs: 1000 })).toEqual([]);
});

test.each([
  ["0 9 * *", "UTC", "is wrong"],
  ["0 0 9 * * *", "UTC", "is wrong"],
  ["60 9 * * *", "UTC", "is wrong"],
  ["often", "UTC", "is wrong"],
  ["0 0 31 2 *", "UTC", "never comes due"],
  ["0 9 * * *", "Europe/Pariss", "is no time zone"],
])("the cron text %s in %s is refused: it %s", (spec, tz, problem) => {
  expect(timesProblems({ kind: "cron", spec, tz }).join()).toContain(problem);
});

test.each([0, 999, 1.5, Number.NaN])("a period of %d ms is refused", (periodMs) => {
  expect(timesProblems({ kind: "every", periodMs })).toHaveLength(1);
});
