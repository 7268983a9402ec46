import { expect, test } from "vitest";
import { definitionOf, dueSlots, slotAfter, type TimedRoute } from "../../../services/master/slots.ts";

const base = { id: "digest.daily" };
const cron = (spec: string, tz = "UTC"): TimedRoute => ({ ...base, kind: "cron", spec, tz });
const every = (periodMs: number): TimedRoute => ({ ...base, kind: "every", periodMs });
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

test("slots missed are one run, of the latest", () => {
  const hourly = cron("0 * * * *");
  const missed = dueSlots(hourly, at("2026-01-01T10:00:00Z"), at("2026-01-01T13:20:00Z"));
  expect(missed).toEqual({ latestMs: at("2026-01-01T13:00:00Z"), slots: 4, nextMs: at("2026-01-01T14:00:00Z") });
  expect(dueSlots(every(1_000), 5_000, 8_400)).toEqual({ latestMs: 8_000, slots: 4, nextMs: 9_000 });
});

test("a slot in time is itself", () => {
  expect(dueSlots(every(1_000), 5_000, 5_000)).toEqual({ latestMs: 5_000, slots: 1, nextMs: 6_000 });
});

test("years of missed minutes do not keep the scheduler busy", () => {
  const minutely = cron("* * * * *");
  const now = at("2026-01-01T00:00:30Z");
  const missed = dueSlots(minutely, at("2020-01-01T00:00:00Z"), now);
  expect(missed).toEqual({
    latestMs: at("2026-01-01T00:00:00Z"),
    slots: 50,
    nextMs: at("2026-01-01T00:01:00Z"),
  });
});

test("a definition changes with the times and with nothing else", () => {
  expect(definitionOf(cron("0 8 * * *"))).not.toBe(definitionOf(cron("0 9 * * *")));
  expect(definitionOf(cron("0 8 * * *"))).not.toBe(definitionOf(cron("0 8 * * *", "Europe/Berlin")));
  expect(definitionOf({ ...cron("0 8 * * *"), id: "other" })).toBe(definitionOf(cron("0 8 * * *")));
});
