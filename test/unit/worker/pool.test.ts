import { beforeEach, describe, expect, test } from "vitest";
import type { ActiveRun } from "../../../services/worker/active-run.ts";
import { SlotMemory } from "../../../services/worker/slots.ts";
import { outcome, runOf } from "./claims.ts";
import { PoolBench } from "./pool-bench.ts";
import { tick } from "./threads.ts";

const IDLE = { state: "ready", slots: 2, busy: 0, runs: [] };
const STORED = { kind: "store", id: "", handler: "h", field: "f", value: "1" } as const;

let bench: PoolBench;
let clock: PoolBench["clock"];
let threads: PoolBench["threads"];
let children: PoolBench["children"];
let owner: PoolBench["owner"];
let quarantine: PoolBench["quarantine"];
let pool: PoolBench["pool"];

beforeEach(() => {
  bench = new PoolBench();
  ({ clock, threads, children, owner, quarantine, pool } = bench);
});

const start = (): Promise<void> => bench.start();
const add = (serial: number): ActiveRun => bench.add(serial);
const now = (timeoutMs: number): ReturnType<PoolBench["now"]> => bench.now(timeoutMs);

describe("starting", () => {
  test("fails with what the handlers' problem is, and ends the other threads", async () => {
    const started = pool.start();
    threads.at(0).say({ type: "ready" });
    threads.at(1).say({ type: "unfit", code: "HANDLER_INVALID", message: "deploy.ts:3 says nothing" });
    await expect(started).rejects.toMatchObject({ code: "HANDLER_INVALID", message: /deploy\.ts:3/ });
    await tick();
    expect(threads.all.map(({ ended }) => ended)).toEqual([true, true]);
    expect(threads.all).toHaveLength(2);
  });

  test("fails when a thread ends while it loads", async () => {
    const started = pool.start();
    threads.at(0).die("exit code 7");
    await expect(started).rejects.toThrow("exit code 7");
  });

  test("gives no slots before threads are ready", async () => {
    const started = pool.start();
    expect(pool.free).toBe(0);
    for (const thread of threads.all) thread.say({ type: "ready" });
    await started;
    expect([pool.free, pool.slots]).toEqual([4, 4]);
  });
});

describe("placing", () => {
  beforeEach(start);

  test("spreads runs over the threads and sends each thread one message a tick", async () => {
    for (const serial of [1, 2, 3, 4]) add(serial);
    await tick();
    expect(threads.all.map(({ posted }) => posted.length)).toEqual([1, 1]);
    expect(threads.all.map(({ runs }) => runs.length)).toEqual([2, 2]);
    expect(pool.free).toBe(0);
  });

  test("each thread tells what has begun in it, by the server's clock, and one without work that it has none", () => {
    expect(pool.vitals(0)).toEqual([0, 1].map((n) => ({ ...IDLE, thread: `work-${n}` })));
    add(7);
    add(8);
    add(9);
    threads.at(0).begin(1, 9, { route: 4, ...now(1000) });
    expect(pool.vitals(500)).toEqual([
      { ...IDLE, thread: "work-0", busy: 2, runs: [["d9", 4, clock.now() + 500]] },
      { ...IDLE, thread: "work-1", busy: 1 },
    ]);
  });

  test("a reserved slot is not given twice", () => {
    expect([pool.reserve(3), pool.reserve(3)]).toEqual([3, 1]);
    pool.unreserve(4);
    expect(pool.free).toBe(4);
  });

  test("of a run the next delivery is let go when what the one before it said is written", async () => {
    pool.add(runOf(owner, [0, 0, 0]));
    await tick();
    const thread = threads.at(0);
    thread.settle(1, "done");
    expect(owner.written).toEqual([]); // it said nothing
    thread.say({ type: "settled", list: [{ ...outcome(2, "done"), effects: [STORED] }] });
    expect(thread.posted.at(-1)).toMatchObject({ type: "runs" });
    for (const written of owner.written) written();
    expect(thread.posted.at(-1)).toEqual({ type: "go", serial: 3 });
    thread.say({ type: "settled", list: [{ ...outcome(3, "done"), effects: [STORED] }] });
    expect(owner.written).toHaveLength(1);
  });

  test("a settled run frees its slot", async () => {
    add(1);
    await tick();
    threads.at(0).settle(1, "done");
    expect(owner.told).toEqual(["done d1", "over"]);
    expect([pool.free, pool.busy]).toEqual([4, 0]);
  });
});

describe("a thread that dies", () => {
  beforeEach(start);

  test("has what it had started fail elsewhere, and hands back uncounted what only shared it", async () => {
    for (const serial of [1, 2, 3]) add(serial); // d1 and d3 share thread 0
    await tick();
    threads.at(0).begin(0, 1, now(60_000));
    threads.at(0).die("ERR_WORKER_OUT_OF_MEMORY");
    expect(owner.told).toEqual(["back d3", "over"]);
    await tick();
    expect(threads.at(1).runs.at(-1)).toMatchObject({
      failed: { code: "RUN_CRASHED", detail: "ERR_WORKER_OUT_OF_MEMORY" },
      claims: [{ serial: 1 }],
    });
    threads.at(1).settle(1, "crash");
    expect(owner.told.slice(2)).toEqual(["crash d1", "over"]);
  });

  test("is replaced at once the first time, and later after a growing pause", async () => {
    threads.at(0).die("x");
    await tick();
    expect(threads.all).toHaveLength(3);
    threads.at(2).say({ type: "ready" });
    expect(pool.free).toBe(4);
    threads.at(2).die("x");
    await tick();
    expect([threads.all.length, pool.free]).toEqual([3, 2]);
    await clock.advance(100);
    expect(threads.all).toHaveLength(4);
    threads.at(3).die("x");
    await clock.advance(100);
    expect(threads.all).toHaveLength(4);
    await clock.advance(100);
    expect(threads.all).toHaveLength(5);
  });

  test("leaves no marks to its successor", async () => {
    threads.at(0).begin(0, 1, now(10));
    threads.at(0).die("x");
    await tick();
    expect(new SlotMemory(threads.at(2).data.slotMemory).started(0)).toBeUndefined();
  });

  test("takes its failure to another thread until one lives to compose it, then it is settled without", async () => {
    const run = add(1);
    await tick();
    threads.at(0).begin(0, 1, now(60_000));
    for (let death = 0; death < 4; death++) {
      threads.all
        .find((thread) => !thread.ended && thread.runs.some(({ claims }) => claims[0]?.serial === 1))
        ?.die("x");
      await clock.advance(10_000);
      for (const thread of threads.all) if (!thread.ended) thread.say({ type: "ready" });
      await tick();
    }
    expect(owner.told).toEqual(["crash d1", "over"]);
    expect(run.isOver).toBe(true);
  });
});

describe("timeouts", () => {
  beforeEach(start);

  test("a route over its time is aborted once, and is left alone when it ends", async () => {
    add(1);
    await tick();
    threads.at(0).begin(0, 1, now(1000));
    await clock.advance(1000);
    pool.sweep();
    expect(threads.at(0).aborts).toEqual([]);
    await clock.advance(1);
    pool.sweep();
    await clock.advance(500);
    pool.sweep();
    expect(threads.at(0).aborts).toEqual(["timeout 1"]);
    threads.at(0).settle(1, "dead");
    await clock.advance(5000);
    pool.sweep();
    expect(threads.at(0).ended).toBe(false);
  });

  test("a route that goes on after its abort ends with its thread; its neighbour goes back uncounted", async () => {
    for (const serial of [1, 2, 3]) add(serial);
    await tick();
    threads.at(0).begin(0, 1, now(1000));
    threads.at(0).begin(1, 3, now(60_000));
    await clock.advance(1001);
    pool.sweep();
    await clock.advance(1000);
    pool.sweep();
    await tick();
    expect(threads.at(0).ended).toBe(true);
    expect(owner.told).toEqual(["back d3", "over"]);
    expect(threads.at(1).runs.at(-1)).toMatchObject({ failed: { code: "RUN_TIMEOUT", afterMs: 1000 } });
    expect(threads.at(2).data.index).toBe(0);
  });
});

describe("quarantine", () => {
  beforeEach(start);

  test("a delivery that crashed twice runs in a child, the rest of its run goes back", async () => {
    pool.add(runOf(owner, [2, 0]));
    const child = children.at(0);
    expect(child.data.kind).toBe("quarantine");
    expect(pool.free).toBe(3);
    child.say({ type: "ready" });
    await tick();
    expect(child.runs.map(({ claims }) => claims.map(({ id }) => id))).toEqual([["c1"]]);
    child.settle(1, "done");
    await tick();
    expect(child.posted.at(-1)).toMatchObject({ type: "stop" });
    expect(owner.told).toEqual(["done c1", "back c2", "over"]);
    expect(pool.free).toBe(4);
  });

  test("the child's death is the delivery's, composed in a thread", async () => {
    pool.add(runOf(owner, [2]));
    children.at(0).say({ type: "ready" });
    await tick();
    children.at(0).die("signal SIGKILL");
    await tick();
    expect(threads.all.flatMap(({ runs }) => runs)).toMatchObject([
      { failed: { code: "RUN_CRASHED", detail: "signal SIGKILL" }, claims: [{ id: "c1" }] },
    ]);
    expect(pool.free).toBe(3);
  });

  test("a child over its route's time is ended, and that is a timeout", async () => {
    pool.add(runOf(owner, [2]));
    children.at(0).say({ type: "ready" });
    await tick();
    children.at(0).say({ type: "began", serial: 1, timeoutMs: 1000 });
    for (let step = 0; step < 4; step++) {
      await clock.advance(600);
      quarantine.sweep();
    }
    await tick();
    expect(threads.all.flatMap(({ runs }) => runs)).toMatchObject([{ failed: { code: "RUN_TIMEOUT" } }]);
  });

  test("a child over its route's memory is aborted, then ended, and that is what its run failed of", async () => {
    pool.add(runOf(owner, [2]));
    children.at(0).say({ type: "ready" });
    await tick();
    children.at(0).say({ type: "began", serial: 1, timeoutMs: 600_000, maxHeapMb: 50 });
    children.at(0).heapMb = 60;
    for (let step = 0; step < 6; step++) {
      await clock.advance(600);
      quarantine.sweep();
      await tick();
    }
    expect(children.at(0).aborts).toEqual(["heap 1"]);
    expect(threads.all.flatMap(({ runs }) => runs)).toMatchObject([{ failed: { code: "RUN_HEAP" } }]);
  });

  test("a child that dies before it got the delivery is started again after a pause", async () => {
    pool.add(runOf(owner, [2]));
    children.at(0).say({ type: "unfit", code: "HANDLER_LOAD_FAILED", message: "the database is away" });
    await tick();
    expect(children.all).toHaveLength(1);
    await clock.advance(10_000);
    expect(children.all).toHaveLength(2);
    expect(owner.told).toEqual([]);
  });

  test("a child that survived its delivery takes the next one that waits", async () => {
    for (const serial of [1, 2, 3]) pool.add(runOf(owner, [2], serial));
    for (const child of children.all) child.say({ type: "ready" });
    await tick();
    children.at(0).settle(1, "done");
    await tick();
    expect(children.all).toHaveLength(2);
    expect(children.at(0).runs.map(({ claims }) => claims.map(({ serial }) => serial))).toEqual([[1], [3]]);
    children.at(0).settle(3, "done");
    await tick();
    expect(children.at(0).posted.at(-1)).toMatchObject({ type: "stop" });
  });

  test("at most two children run at once, and as many runs wait for one; others are put off, uncounted", () => {
    for (const serial of [1, 2, 3, 4]) pool.add(runOf(owner, [2], serial));
    expect([children.all.length, pool.free]).toEqual([2, 0]);
    pool.add(runOf(owner, [2, 0], 5));
    expect(owner.told).toEqual(["park c1 -c2", "over"]);
    expect(pool.busy).toBe(4);
  });
});

describe("closing", () => {
  beforeEach(start);

  test("hands back at once what has not started, lets the rest run on, and is idle when that has ended", async () => {
    for (const serial of [1, 2, 3]) add(serial);
    pool.add(runOf(owner, [2], 4));
    await tick();
    threads.at(0).begin(0, 1, now(60_000));
    pool.close();
    quarantine.close();
    expect(owner.told).toContain("back d2");
    expect(owner.told).toContain("back d3");
    expect(pool.free).toBe(0);
    expect(threads.at(1).begin(0, 2, now(1))).toBe(false);
    let idle = false;
    const idled = pool.whenIdle().then(() => (idle = true));
    await tick();
    expect(idle).toBe(false);
    threads.at(0).settle(1, "done");
    children.at(0).die("stop");
    await idled;
    expect(owner.told).toContain("back c1");
  });

  test("hands back everything in the end, and what a zombie says afterwards is ignored", async () => {
    add(1);
    await tick();
    threads.at(0).begin(0, 1, now(60_000));
    pool.close();
    pool.abort(pool.holding, "drain");
    expect(threads.at(0).aborts).toEqual(["drain 1"]);
    pool.handBackAll();
    await pool.whenIdle();
    threads.at(0).settle(1, "done");
    expect(owner.told).toEqual(["back d1", "over"]);
  });

  test("a thread that does not end its teardown in time is ended", async () => {
    const stopped = pool.stop(20);
    expect(threads.at(0).posted).toEqual([{ type: "stop", deadlineMs: 20 }]);
    threads.at(1).die("exit code 0");
    await stopped;
    expect(threads.at(0).ended).toBe(true);
    expect(threads.all).toHaveLength(2);
  });
});

test("a fenced run is forgotten: its thread is told, and its slot is free only when it has answered", async () => {
  await start();
  const run = add(1);
  await tick();
  run.orphan();
  pool.abort([run], "fenced");
  expect(threads.at(0).aborts).toEqual(["fenced 1"]);
  expect(pool.free).toBe(3);
  let room = 0;
  pool.onRoom = () => void room++;
  threads.at(0).settle(1, "lost");
  expect([pool.free, room]).toEqual([4, 1]);
  expect(owner.told).toEqual(["over"]);
});

test("what has ended in its thread when a drain begins is not handed back: its answer is on its way", async () => {
  await start();
  add(1);
  await tick();
  threads.at(0).begin(0, 1, now(60_000));
  threads.at(0).finish(0);
  pool.close();
  threads.at(0).settle(1, "done");
  expect(owner.told).toEqual(["done d1", "over"]);
});
