import { expect, test } from "vitest";
import type { Times } from "../../../services/runtime/cron-times.ts";
import { definitionOf, dueSlots, slotAfter, SLOTS_MAX } from "../../../services/master/slots.ts";

const cron = (spec: string, tz = "UTC"): Times => ({ kind: "cron", spec, tz });
const every = (periodMs: number): Times => ({ kind: "every", periodMs });
const at = (text: string): number => Date.parse(text);

test("a cron text comes due in its zone, also over a change of the clocks", () => {
  const berlin = cron("30 8 * * *", "Europe/Berlin");
  expect(slotAfter(berlin, at("2026-03-27T08:00:00Z"))).toBe(at("2026-03-28T07:30:00Z"));
  expect(slotAfter(berlin, at("2026-03-28T07:30:00Z"))).toBe(at("2026-03-29T06:30:00Z"));
});

test("a period goes on from where it was", () => {
  expect(slotAfter(every(60_000), 1_000)).toBe(61_000);
  expect(slotAfter(every(60_000), 150_000, 1_000)).toBe(181_000);
});

test("slots that were missed are all found, in order", () => {
  const hourly = cron("0 * * * *");
  const hours = [10, 11, 12, 13].map((hour) => at(`2026-01-01T${hour}:00:00Z`));
  const missed = dueSlots(hourly, at("2026-01-01T10:00:00Z"), at("2026-01-01T13:20:00Z"));
  expect(missed).toEqual({ slots: hours, nextMs: at("2026-01-01T14:00:00Z") });
  expect(dueSlots(every(1_000), 5_000, 8_400)).toEqual({ slots: [5_000, 6_000, 7_000, 8_000], nextMs: 9_000 });
});

test("a slot in time is itself", () => {
  expect(dueSlots(every(1_000), 5_000, 5_000)).toEqual({ slots: [5_000], nextMs: 6_000 });
});

test("of years of missed minutes only the latest are found", () => {
  const now = at("2026-01-01T00:00:30Z");
  for (const minutely of [cron("* * * * *"), every(60_000)]) {
    const { slots, nextMs } = dueSlots(minutely, at("2020-01-01T00:00:00Z"), now);
    expect(slots).toHaveLength(SLOTS_MAX);
    expect(slots[0]).toBe(at("2026-01-01T00:00:00Z") - (SLOTS_MAX - 1) * 60_000);
    expect(slots.at(-1)).toBe(at("2026-01-01T00:00:00Z"));
    expect(nextMs).toBe(at("2026-01-01T00:01:00Z"));
  }
});

test("a definition changes with the times and with nothing else", () => {
  expect(definitionOf(cron("0 8 * * *"))).not.toBe(definitionOf(cron("0 9 * * *")));
  expect(definitionOf(cron("0 8 * * *"))).not.toBe(definitionOf(cron("0 8 * * *", "Europe/Berlin")));
  expect(definitionOf(cron("0 8 * * *"))).toBe(definitionOf(cron("0 8 * * *")));
});
