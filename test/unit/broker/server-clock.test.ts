import { beforeEach, expect, test } from "vitest";
import { ServerClock } from "../../../services/broker/server-clock.ts";

let nowMs: number;
let clock: ServerClock;

beforeEach(() => {
  nowMs = 100;
  clock = new ServerClock({ monotonic: () => nowMs });
});

test("before the first reply nothing is waited for", () => {
  expect(clock.untilMs(1_000_000)).toBe(0);
});

test("the time until a moment goes by the replies, whatever the clock here says", () => {
  clock.learn(50_000);
  nowMs += 300;
  expect(clock.untilMs(51_000)).toBe(700);
  nowMs += 5_000;
  expect(clock.untilMs(51_000)).toBe(0);
});

test("of replies that took their time the fastest one counts", () => {
  clock.learn(49_900); // 100 ms on its way
  nowMs += 1_000;
  clock.learn(51_000); // at once
  expect(clock.untilMs(51_500)).toBe(500);
  nowMs += 1_000;
  clock.learn(51_600); // 400 ms on its way
  expect(clock.untilMs(52_500)).toBe(500);
});

test("a server whose clock was set back is believed after a while", () => {
  clock.learn(50_000);
  for (let second = 1; second <= 29; second++) {
    nowMs += 1_000;
    clock.learn(40_000 + 1_000 * second);
  }
  expect(clock.untilMs(79_500)).toBe(500);
  nowMs += 1_000;
  clock.learn(70_000);
  expect(clock.untilMs(70_500)).toBe(500);
});
