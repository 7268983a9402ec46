// What a pool ends before it ends by itself: cancelled deliveries, routes over their memory, threads that are worn out.

import { beforeEach, describe, expect, test } from "vitest";
import { ActiveRun } from "../../../services/worker/active-run.ts";
import type { Wear } from "../../../services/worker/lane.ts";
import { claimOf, runOf } from "./claims.ts";
import { PoolBench, type PoolBenchOptions } from "./pool-bench.ts";
import { tick } from "./threads.ts";

let bench: PoolBench;
let clock: PoolBench["clock"];
let threads: PoolBench["threads"];
let children: PoolBench["children"];
let owner: PoolBench["owner"];
let pool: PoolBench["pool"];
let events: PoolBench["events"];

function open(options?: PoolBenchOptions): void {
  bench = new PoolBench(options);
  ({ clock, threads, children, owner, pool, events } = bench);
}
beforeEach(() => open());

const start = (): Promise<void> => bench.start();
const add = (serial: number): ActiveRun => bench.add(serial);
const now = (timeoutMs: number): ReturnType<PoolBench["now"]> => bench.now(timeoutMs);

describe("a delivery that is cancelled", () => {
  beforeEach(start);

  test("is aborted, and costs no thread when it heeds that", async () => {
    const run = add(1);
    await tick();
    threads.at(0).begin(0, 1, now(60_000));
    expect([run.cancel("d9"), run.cancel("d1")]).toEqual([false, true]);
    pool.cancel(run);
    expect(threads.at(0).aborts).toEqual(["cancel 1"]);
    threads.at(0).settle(1, "done");
    await clock.advance(5000);
    pool.sweep();
    expect(threads.at(0).ended).toBe(false);
  });

  test("and goes on ends with its thread and is done; its neighbours go back uncounted", async () => {
    const [run] = [add(1), add(2), add(3)];
    await tick();
    threads.at(0).begin(0, 1, now(60_000));
    threads.at(0).begin(1, 3, now(60_000));
    run.cancel("d1");
    pool.cancel(run);
    for (let step = 0; step < 6; step++) {
      pool.sweep();
      await clock.advance(250);
    }
    expect(threads.at(0).ended).toBe(true);
    expect(owner.told).toEqual(["back d3", "over"]);
    expect(threads.at(1).runs.at(-1)).toMatchObject({ failed: { code: "RUN_CANCELLED" }, claims: [{ serial: 1 }] });
  });

  test("before it was sent is told with it", async () => {
    const run = runOf(owner, [0, 0]);
    run.cancel("c2");
    pool.add(run);
    await tick();
    expect(threads.at(0).posted.map(({ type }) => type)).toEqual(["runs", "abort"]);
    expect(threads.at(0).aborts).toEqual(["cancel 2"]);
  });

  test("while another one of its thread is ended is not run again", async () => {
    const [run] = [add(1), add(2), add(3)];
    await tick();
    run.cancel("d1");
    pool.cancel(run);
    threads.at(0).die("x");
    await tick();
    expect(owner.told).toEqual(["back d3", "over"]);
    expect(threads.at(1).runs.at(-1)).toMatchObject({ failed: { code: "RUN_CANCELLED" } });
  });

  test("is done although no thread lives long enough to say so", async () => {
    const run = add(1);
    await tick();
    run.cancel("d1");
    for (let death = 0; death < 4; death++) {
      threads.all
        .find((thread) => !thread.ended && thread.runs.some(({ claims }) => claims[0]?.serial === 1))
        ?.die("x");
      await clock.advance(10_000);
      for (const thread of threads.all) if (!thread.ended) thread.say({ type: "ready" });
      await tick();
    }
    expect(owner.told).toEqual(["done d1", "over"]);
  });

  test("that waits for a child needs none any more", async () => {
    const sick = [10, 20, 30].map((serial) => {
      const run = new ActiveRun(owner, [claimOf({ id: `d${serial}`, crashes: 2 })], serial);
      pool.add(run);
      return run;
    });
    expect(children.all).toHaveLength(2);
    sick[2]?.cancel("d30");
    for (const run of sick) pool.cancel(run);
    await tick();
    const [composed] = threads.all.flatMap(({ runs }) => runs);
    expect(composed).toMatchObject({ failed: { code: "RUN_CANCELLED" }, claims: [{ id: "d30" }] });
  });
});

describe("a route with a limit of memory", () => {
  beforeEach(start);

  const sweeps = async (count: number): Promise<void> => {
    for (let sweep = 0; sweep < count; sweep++) {
      pool.sweep();
      await tick();
      await clock.advance(250);
    }
  };
  const collects = (): number => threads.at(0).posted.filter(({ type }) => type === "collect").length;

  test("is left alone while its thread holds less, or only garbage", async () => {
    add(1);
    await tick();
    threads.at(0).begin(0, 1, { ...now(60_000), maxHeapMb: 100 });
    threads.at(0).heapMb = 99;
    await sweeps(4);
    expect(collects()).toBe(0);
    threads.at(0).heapMb = 150;
    await sweeps(1);
    threads.at(0).heapMb = 20;
    await sweeps(8);
    expect([collects(), threads.at(0).aborts]).toEqual([1, []]);
  });

  test("is aborted, then ended with its thread, and is to blame; others are not", async () => {
    for (const serial of [1, 2, 3]) add(serial);
    await tick();
    threads.at(0).begin(0, 1, { ...now(60_000), maxHeapMb: 100, route: 7 });
    threads.at(0).begin(1, 3, now(60_000));
    threads.at(0).heapMb = 150;
    await sweeps(4);
    expect(threads.at(0).aborts).toEqual(["heap 1"]);
    await sweeps(5);
    expect(threads.at(0).ended).toBe(true);
    expect(owner.told).toEqual(["back d3", "over"]);
    expect(threads.at(1).runs.at(-1)).toMatchObject({
      failed: { code: "RUN_HEAP", route: 7 },
      claims: [{ serial: 1 }],
    });
    expect(threads.at(2).data.index).toBe(0);
  });
});

describe("a thread that is worn out", () => {
  const worn = (wear: Wear): Promise<void> => {
    open({ threads: 1, wear });
    return start();
  };

  test("by its deliveries gets no more runs once its successor is ready, finishes what it has and goes", async () => {
    await worn({ jobs: 2, heapMb: 0 });
    for (const serial of [1, 2]) add(serial);
    await tick();
    threads.at(0).settle(1, "done");
    pool.sweep();
    expect(threads.all).toHaveLength(1);
    add(3);
    await tick();
    threads.at(0).settle(3, "done");
    pool.sweep();
    expect(threads.all).toHaveLength(2);
    expect(pool.free).toBe(1); // of the old one: the successor is not ready
    threads.at(1).say({ type: "ready" });
    expect(pool.free).toBe(2);
    add(4);
    await tick();
    expect(threads.at(1).runs).toMatchObject([{ claims: [{ serial: 4 }] }]);
    pool.sweep();
    expect(threads.at(0).posted.at(-1)).not.toMatchObject({ type: "stop" });
    threads.at(0).settle(2, "done");
    pool.sweep();
    expect(threads.at(0).posted.at(-1)).toMatchObject({ type: "stop" });
    threads.at(0).die("exit code 0");
    expect(owner.told.filter((line) => line.startsWith("back"))).toEqual([]);
    expect([pool.busy, events]).toEqual([1, ["thread.started", "thread.started", "thread.recycled"]]);
  });

  test("by its heap is replaced too, its garbage left aside", async () => {
    await worn({ jobs: 0, heapMb: 100 });
    threads.at(0).heapMb = 120;
    for (let sweep = 0; sweep < 4; sweep++) {
      pool.sweep();
      await tick();
      await clock.advance(250);
    }
    pool.sweep();
    expect(threads.at(0).posted).toEqual([{ type: "collect" }]);
    expect(threads.all).toHaveLength(2);
  });

  test("goes on when its successor does not start, and tries again later", async () => {
    await worn({ jobs: 1, heapMb: 0 });
    add(1);
    await tick();
    threads.at(0).settle(1, "done");
    pool.sweep();
    threads.at(1).say({ type: "unfit", code: "HANDLER_LOAD_FAILED", message: "the database is away" });
    await tick();
    pool.sweep();
    expect([threads.all.length, pool.free]).toEqual([2, 2]);
    await clock.advance(30_000);
    pool.sweep();
    expect(threads.all).toHaveLength(3);
  });

  test("that dies before its successor is ready is replaced by that one", async () => {
    await worn({ jobs: 1, heapMb: 0 });
    add(1);
    await tick();
    threads.at(0).settle(1, "done");
    pool.sweep();
    threads.at(0).die("x");
    await tick();
    expect(threads.all).toHaveLength(2);
    threads.at(1).say({ type: "ready" });
    expect(pool.free).toBe(2);
    pool.sweep();
    add(2);
    await tick();
    expect(threads.at(1).runs).toMatchObject([{ claims: [{ serial: 2 }] }]);
  });

  test("is stopped with the others, as is its successor", async () => {
    await worn({ jobs: 1, heapMb: 0 });
    add(1);
    await tick();
    threads.at(0).settle(1, "done");
    pool.sweep();
    const stopped = pool.stop(1000);
    for (const thread of threads.all) {
      expect(thread.posted.at(-1)).toMatchObject({ type: "stop" });
      thread.die("exit code 0");
    }
    await stopped;
    expect(threads.all).toHaveLength(2);
  });
});
