// What a worker tells of its runs: counted once, shared by the time that slots were held, told again when nobody heard it.

import { expect, test } from "vitest";
import type { Ran } from "../../../services/broker/claims.ts";
import { type Counted, Figures, shareBusy } from "../../../services/worker/figures.ts";
import { outcome, Owner, runOf } from "./claims.ts";

class FakePool {
  busyMs = 0;

  takeBusyMs(): number {
    const { busyMs } = this;
    this.busyMs = 0;
    return busyMs;
  }
}

function queueOf(pool: FakePool): Counted {
  return { figures: new Figures(), pool, count: () => {} };
}

/** What is told now, and heard. */
async function told({ figures }: Counted): Promise<Ran> {
  let said: Ran | undefined;
  await figures.tell(async (ran) => {
    said = ran;
  });
  return said as Ran;
}

test("threads were busy for queues by the time that these held slots, each pool for its own", async () => {
  const [work, chat] = [new FakePool(), new FakePool()];
  const [one, two, other] = [queueOf(work), queueOf(work), queueOf(chat)];
  one.figures.held(3_000);
  two.figures.held(1_000);
  other.figures.held(10);
  [work.busyMs, chat.busyMs] = [800, 5];
  shareBusy([one, two, other], 0);
  expect(await told(one)).toEqual({ finished: 0, runMs: 0, heldMs: 3_000, busyMs: 600 });
  expect(await told(two)).toMatchObject({ heldMs: 1_000, busyMs: 200 });
  expect(await told(other)).toMatchObject({ heldMs: 10, busyMs: 5 });
  // What threads did while nothing held a slot was for nobody.
  work.busyMs = 100;
  shareBusy([one, two, other], 0);
  expect(await told(one)).toEqual({ finished: 0, runMs: 0, heldMs: 0, busyMs: 0 });
});

test("what nobody heard is told again with what came since", async () => {
  const queue = queueOf(new FakePool());
  queue.figures.finished(20);
  queue.figures.held(30);
  const lost = queue.figures.tell(async () => {
    queue.figures.finished(5);
    throw new Error("away");
  });
  await expect(lost).rejects.toThrow("away");
  expect(await told(queue)).toEqual({ finished: 2, runMs: 25, heldMs: 30, busyMs: 0 });
});

test("a run counts from when it has a slot, each of its deliveries for itself, and what goes on is counted between", () => {
  const owner = new Owner();
  const run = runOf(owner, [0, 0, 0]);
  expect(run.heldMs(500)).toBe(0);
  run.takeSegment();
  run.begin(1_000);
  expect(run.heldMs(1_100)).toBe(100);
  run.answer(outcome(1, "done"), 1_300);
  run.answer(outcome(2, "done"), 1_350);
  expect(run.heldMs(1_400)).toBe(50);
  run.answer(outcome(3, "done"), 1_500);
  expect(owner.times).toEqual([
    { ranMs: 300, heldMs: 200 },
    { ranMs: 50, heldMs: 50 },
    { ranMs: 150, heldMs: 100 },
  ]);
  expect(run.heldMs(9_000)).toBe(0);
});

test("a run that lost its thread holds no slot until it has another one", () => {
  const owner = new Owner();
  const run = runOf(owner, [0]);
  run.takeSegment();
  run.begin(1_000);
  run.recall();
  expect(run.heldMs(5_000)).toBe(0);
  run.takeSegment();
  run.begin(6_000);
  run.answer(outcome(1, "done"), 6_010);
  expect(owner.times).toEqual([{ ranMs: 10, heldMs: 10 }]);
});

test("a run that fails is counted, whether it is made again or not; what was handed back is not", async () => {
  const queue = queueOf(new FakePool());
  queue.figures.answered({ kind: "done", origin: "a" }, 5, 1);
  queue.figures.answered({ kind: "block", origin: "b", error: "no" }, 5, 1);
  queue.figures.answered({ kind: "wait", origin: "c" }, 5, 1);
  queue.figures.answered({ kind: "interrupted", origin: "d" }, 5, 1);
  queue.figures.answered({ kind: "dead", origin: "e", error: "x".repeat(1000) }, 5, 2);
  expect(await told(queue)).toEqual({
    finished: 4,
    runMs: 20,
    heldMs: 0,
    busyMs: 0,
    failed: 2,
    failure: { id: "e", route: 2, message: "x".repeat(300) },
  });
  expect(await told(queue)).toEqual({ finished: 0, runMs: 0, heldMs: 0, busyMs: 0 });
});
