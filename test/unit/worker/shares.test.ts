import { expect, test } from "vitest";
import { type Shares, sharesOf } from "../../../services/worker/shares.ts";

const both = (threads: number, concurrency: number): Shares =>
  sharesOf({ threads, concurrency, kinds: new Set(["chat", "work"]) });

test("chat gets a quarter of the threads and slots, at least one thread and four slots", () => {
  expect(both(4, 32)).toEqual({ chat: [8], work: [8, 8, 8] });
  expect(both(2, 32)).toEqual({ chat: [8], work: [24] });
  expect(both(2, 8)).toEqual({ chat: [4], work: [4] });
  expect(both(8, 100)).toEqual({ chat: [13, 12], work: [13, 13, 13, 13, 13, 10] });
});

test("no thread is without a slot", () => {
  for (let threads = 2; threads <= 64; threads++) {
    const { chat, work } = both(threads, 64);
    expect(Math.min(...chat, ...work)).toBeGreaterThan(0);
    expect(chat.length + work.length).toBe(threads);
  }
});

test("a worker that serves only one of them has all its threads for it", () => {
  expect(sharesOf({ threads: 4, concurrency: 32, kinds: new Set(["work"]) })).toEqual({ chat: [], work: [8, 8, 8, 8] });
  expect(sharesOf({ threads: 2, concurrency: 9, kinds: new Set(["chat"]) })).toEqual({ chat: [5, 4], work: [] });
});
