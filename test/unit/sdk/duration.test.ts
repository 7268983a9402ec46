// Durations have units.

import { expect, test } from "vitest";
import { durationMs } from "../../../services/sdk/duration.ts";

test("every unit", () => {
  expect(["500ms", "10s", "1.5m", "2h", "1d"].map(durationMs)).toEqual([500, 10_000, 90_000, 7_200_000, 86_400_000]);
});

test("anything else is refused", () => {
  for (const text of ["", "10", "s", "-1s", "1e3s", " 1s", "1s ", "1 s", "1w", "9".repeat(400) + "s", 10, null])
    expect(durationMs(text)).toBeUndefined();
});
