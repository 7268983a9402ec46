// Numbers, durations and times as the dashboard shows them.

import { expect, test } from "vitest";
import { bytes, count, duration, many, pretty, rate, relative } from "../../../services/dashboard/format.ts";

test("durations have the two largest units at most", () => {
  const shown = [0, 0.4, 12.4, 999, 1000, 9_940, 12_400, 60_000, 83_000, 3_600_000, 5_400_000, 40_000_000, 2e8].map(
    duration,
  );
  expect(shown).toEqual([
    "0 ms",
    "0 ms",
    "12 ms",
    "999 ms",
    "1.0 s",
    "9.9 s",
    "12 s",
    "1 min",
    "1 min 23 s",
    "1 h",
    "1 h 30 min",
    "11 h",
    "2 d 7 h",
  ]);
});

test("rates below one in ten seconds are told by the minute", () => {
  expect([0, 0.0001, 0.05, 0.1, 9.94, 31.6, 123_456].map(rate)).toEqual([
    "0",
    "<0.1/min",
    "3.0/min",
    "0.1/s",
    "9.9/s",
    "32/s",
    "123.5K/s",
  ]);
});

test("moments are told from now, before it and after it", () => {
  const now = Date.parse("2026-11-21T12:00:00Z");
  const at = (seconds: number): string => relative(now + seconds * 1000, now);
  expect([0, -5, -119, -7200, -200_000, 40, 3600].map(at)).toEqual([
    "now",
    "5 s ago",
    "2 min ago",
    "2 h ago",
    "2 d ago",
    "in 40 s",
    "in 1 h",
  ]);
});

test("counts, bytes and plurals", () => {
  expect([0, 99_999, 1_234_567].map(count)).toEqual(["0", "99,999", "1.2M"]);
  expect([0, 512, 1536, 157_286_400].map(bytes)).toEqual(["0 B", "512 B", "1.5 KiB", "150 MiB"]);
  expect([many(1, "job"), many(2, "job"), many(2, "delivery", "deliveries")]).toEqual([
    "1 job",
    "2 jobs",
    "2 deliveries",
  ]);
});

test("what is JSON is laid out, and what is not stays as it is", () => {
  expect(pretty('{"a":1}')).toBe('{\n  "a": 1\n}');
  expect(pretty("hello {")).toBe("hello {");
});
