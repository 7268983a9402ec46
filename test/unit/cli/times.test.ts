// Times as people read them.

import { expect, test } from "vitest";
import { ago, span, until } from "../../../services/cli/times.ts";

test("a span is told in its largest unit, rounded down", () => {
  const told = [
    [0, "0 s"],
    [999, "0 s"],
    [59_999, "59 s"],
    [60_000, "1 m"],
    [7_199_999, "1 h"],
    [172_800_000, "2 d"],
  ] as const;
  for (const [ms, text] of told) expect(span(ms)).toBe(text);
});

test("what was is ago, what will be is in", () => {
  const now = new Date("2026-03-01T09:00:00Z");
  expect(ago(new Date("2026-03-01T08:58:30Z"), now)).toBe("1 m ago");
  expect(until(new Date("2026-03-02T09:00:00Z"), now)).toBe("in 1 d");
  expect(until(new Date("2026-03-01T08:00:00Z"), now)).toBe("in 0 s");
});
