import { expect, test } from "vitest";
import { outcome, Owner, runOf } from "./claims.ts";

test("a run goes to a thread up to the first delivery that must run alone", () => {
  const run = runOf(new Owner(), [0, 1, 2, 0], 10);
  expect(run.takeSegment().map(({ serial }) => serial)).toEqual([10, 11]);
  run.answer(outcome(10, "done"));
  expect(run.isIdle).toBe(false);
  run.answer(outcome(11, "skip"));
  expect([run.isIdle, run.isOver, run.needsQuarantine]).toEqual([true, false, true]);
  expect(run.takeSegment().map(({ serial }) => serial)).toEqual([12]);
  run.answer(outcome(12, "dead"));
  expect(run.needsQuarantine).toBe(false);
  expect(run.takeSegment().map(({ serial }) => serial)).toEqual([13]);
  run.answer(outcome(13, "done"));
  expect(run.isOver).toBe(true);
});

test.each(["block", "crash", "lost", "interrupted"] as const)("%s drops the rest of the run", (kind) => {
  const owner = new Owner();
  const run = runOf(owner, [0, 0, 0]);
  run.takeSegment();
  run.answer(outcome(1, "done"));
  run.answer(outcome(2, kind));
  expect(owner.told).toEqual(["done c1", `${kind} c2 -c3`, "over"]);
  expect([run.isIdle, run.isOver]).toEqual([true, true]);
});

test("what has not started is handed back, what has started goes on", () => {
  const owner = new Owner();
  const run = runOf(owner, [0, 0, 0, 0]);
  run.takeSegment();
  run.answer(outcome(1, "done"));
  run.handBackAfter(2);
  expect(owner.told).toEqual(["done c1", "back c3 c4"]);
  run.answer(outcome(2, "done"));
  expect(owner.told.slice(2)).toEqual(["done c2", "over"]);
  expect(run.isOver).toBe(true);
});

test("a run of which nothing has started is handed back whole and its late answers are ignored", () => {
  const owner = new Owner();
  const run = runOf(owner, [0, 0]);
  run.takeSegment();
  run.handBackAfter(undefined);
  expect(owner.told).toEqual(["back c1 c2", "over"]);
  expect(run.isIdle).toBe(false);
  run.answer(outcome(1, "interrupted"));
  expect([run.isIdle, run.isOver]).toEqual([true, true]);
  expect(owner.told).toHaveLength(2);
});

test("an orphaned run tells nothing and keeps its slot until its thread has answered", () => {
  const owner = new Owner();
  const run = runOf(owner, [0, 0, 2]);
  run.takeSegment();
  run.orphan();
  expect(run.pending).toEqual([1, 2]);
  run.answer(outcome(1, "done"));
  expect(run.isIdle).toBe(false);
  run.answer(outcome(2, "lost"));
  expect([run.isIdle, run.isOver]).toEqual([true, true]);
  expect(owner.told).toEqual(["over"]);
});

test("a failure that no thread lives to compose ends as a crash", () => {
  const owner = new Owner();
  const run = runOf(owner, [0, 0]);
  run.failure = { code: "RUN_CRASHED", detail: "out of memory", afterMs: 5 };
  for (let death = 0; death < 3; death++) {
    run.takeSegment();
    run.recall();
  }
  expect(run.isHopeless).toBe(true);
  run.giveUp();
  expect(owner.told).toEqual(["crash c1 -c2", "over"]);
});

test("an answer out of turn is a fault of the thread", () => {
  const run = runOf(new Owner(), [0, 0]);
  run.takeSegment();
  expect(() => run.answer(outcome(2, "done"))).toThrow("out of turn");
});
