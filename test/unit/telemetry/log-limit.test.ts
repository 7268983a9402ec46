// A handler that shouts: its lines are bounded, what is dropped is counted and told, and nobody else loses a line.

import { beforeEach, expect, test } from "vitest";
import type { Emit, EventFields, EventName } from "../../../services/telemetry/events.ts";
import { limitedLogs, TEXT_CHARS_MAX } from "../../../services/telemetry/log-limit.ts";

const told: { name: EventName; fields: unknown }[] = [];
let nowMs = 0;
let wakes: (() => void)[] = [];
const clock = { monotonic: () => nowMs, sleep: () => new Promise<void>((resolve) => wakes.push(resolve)) };

function limited(linesPerSecond: number, level: "debug" | "info" = "info"): Emit {
  return limitedLogs((name, fields) => void told.push({ name, fields }), { linesPerSecond, level, clock });
}

function shout(emit: Emit, lines: number, route = "shop.sell"): void {
  for (let line = 0; line < lines; line++) emit("log", { level: "info", text: `line ${line}`, route, origin: "a" });
}

const of = (name: EventName): unknown[] => told.filter((one) => one.name === name).map(({ fields }) => fields);

beforeEach(() => {
  told.length = 0;
  nowMs = 0;
  wakes = [];
});

test("of 10,000 lines a second as many are kept as may be, every second, and the rest is told as a number", async () => {
  const emit = limited(1_000);
  for (let second = 0; second < 3; second++) {
    for (let tick = 0; tick < 100; tick++, nowMs += 10) shout(emit, 100);
    for (const wake of wakes.splice(0)) wake();
    await Promise.resolve();
    await Promise.resolve();
  }
  // What there was at the beginning, and what came in three seconds.
  expect(of("log").length).toBeGreaterThanOrEqual(3_900);
  expect(of("log").length).toBeLessThanOrEqual(4_000);
  const dropped = of("log.dropped") as EventFields["log.dropped"][];
  expect(dropped).toHaveLength(3);
  expect(dropped.reduce((sum, { lines }) => sum + lines, 0)).toBe(30_000 - of("log").length);
  expect(dropped[0]?.route).toBe("shop.sell");
});

test("another route's lines are all there", () => {
  const emit = limited(100);
  shout(emit, 10_000);
  shout(emit, 100, "shop.quiet");
  expect(of("log").filter((line) => (line as EventFields["log"]).route === "shop.quiet")).toHaveLength(100);
});

test("lines below the level use nothing up, lines of no route and all other events pass", () => {
  const emit = limited(10);
  for (let line = 0; line < 100; line++) emit("log", { level: "debug", text: "", route: "shop.sell" });
  shout(emit, 10);
  for (let line = 0; line < 50; line++) emit("log", { level: "info", text: "of the irc adapter" });
  for (let line = 0; line < 50; line++) emit("run.refused", { route: "shop.sell", user: "ann" });
  expect([of("log").length, of("run.refused").length, wakes.length]).toEqual([60, 50, 0]);
});

test("a line that is too long is cut", () => {
  limited(10)("log", { level: "info", text: "x".repeat(1_000_000), route: "shop.sell" });
  expect((of("log")[0] as EventFields["log"]).text.length).toBeLessThan(TEXT_CHARS_MAX + 3);
});
