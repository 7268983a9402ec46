import { expect, test } from "vitest";
import { SlotMemory } from "../../../services/worker/slots.ts";

const route = { serial: 7, sinceMs: 1000, timeoutMs: 60_000 };

test("main sees what a thread has started, and no more once it ended", () => {
  const shared = SlotMemory.allocate(3);
  const [thread, main] = [new SlotMemory(shared), new SlotMemory(shared)];
  expect(thread.begin(2, route)).toBe(true);
  expect(main.started(2)).toEqual(route);
  expect(main.started(1)).toBeUndefined();
  thread.end(2);
  expect(main.started(2)).toBeUndefined();
});

test("behind a closed gate nothing starts, but what has started may begin its next route", () => {
  const shared = SlotMemory.allocate(2);
  const [thread, main] = [new SlotMemory(shared), new SlotMemory(shared)];
  thread.begin(0, route);
  main.close();
  expect(thread.begin(1, { ...route, serial: 8 })).toBe(false);
  expect(main.started(1)).toBeUndefined();
  expect(thread.begin(0, { ...route, sinceMs: 2000 })).toBe(true);
  expect(main.started(0)?.sinceMs).toBe(2000);
});
