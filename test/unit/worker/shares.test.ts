import { expect, test } from "vitest";
import { sharesOf } from "../../../services/worker/shares.ts";

test("chat gets a quarter of the threads and slots, at least one thread and four slots", () => {
  expect(sharesOf(4, 32)).toEqual({ chat: [8], work: [8, 8, 8] });
  expect(sharesOf(2, 32)).toEqual({ chat: [8], work: [24] });
  expect(sharesOf(2, 8)).toEqual({ chat: [4], work: [4] });
  expect(sharesOf(8, 100)).toEqual({ chat: [13, 12], work: [13, 13, 13, 13, 13, 10] });
});

test("no thread is without a slot", () => {
  for (let threads = 2; threads <= 64; threads++) {
    const { chat, work } = sharesOf(threads, 64);
    expect(Math.min(...chat, ...work)).toBeGreaterThan(0);
    expect(chat.length + work.length).toBe(threads);
  }
});
