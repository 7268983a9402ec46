import { expect, test } from "vitest";
import { checkTiming, leaseTiming } from "../../../services/leader/timing.ts";

test("a Lease of 6 s is renewed at a third and given up at two thirds", () => {
  expect(leaseTiming(6000)).toEqual({
    leaseMs: 6000,
    renewMs: 2000,
    commandMs: 800,
    deadlineMs: 4000,
    stallMs: 1000,
    closeMs: 500,
    pollMs: 1000,
  });
});

test("every length keeps the relations", () => {
  for (const leaseMs of [300, 900, 1500, 3000, 6000, 15_000, 60_000]) expect(() => leaseTiming(leaseMs)).not.toThrow();
});

test("a broken relation is named", () => {
  const good = leaseTiming(6000);
  expect(() => checkTiming({ ...good, commandMs: 1000 })).toThrow(
    /renewMs \(2000\) \+ 10 % \+ 2 x commandMs \(1000\) < deadlineMs/,
  );
  expect(() => checkTiming({ ...good, deadlineMs: 6000 })).toThrow(/deadlineMs \(6000\) < leaseMs \(6000\)/);
  expect(() => checkTiming({ ...good, stallMs: 2000 })).toThrow(/leaseMs - deadlineMs \(2000\) >= drift/);
  expect(() => leaseTiming(100)).toThrow(/leaseMs \(100\) >= 300/);
});
