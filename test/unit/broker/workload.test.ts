// How many workers a pool needs: the formula, and whose work a queue is.

import { describe, expect, test } from "vitest";
import type { WorkerFacts } from "../../../services/broker/claims.ts";
import type { QueueFigures } from "../../../services/broker/figures.ts";
import { type Demand, requiredWorkers, workloadOf } from "../../../services/broker/workload.ts";

const PLAIN: Demand = {
  arrivalsPerSecond: 0,
  runMs: 200,
  backlog: 0,
  sideBySide: Number.POSITIVE_INFINITY,
  ageMs: 0,
  concurrency: 32,
};

function required(demand: Partial<Demand>): number {
  return requiredWorkers([{ ...PLAIN, ...demand }]);
}

describe("the formula", () => {
  test("50 arrivals/s of 200 ms and 5,000 waiting need five workers of 32 slots", () => {
    expect(required({ arrivalsPerSecond: 50, backlog: 5_000 })).toBe(5);
  });

  test("nothing to do needs one", () => {
    expect(requiredWorkers([])).toBe(1);
    expect(required({})).toBe(1);
  });

  test("10,000 of 1 ms are as much work as 10 of 1 s", () => {
    const one = { concurrency: 1, arrivalsPerSecond: 0 };
    expect(required({ ...one, backlog: 10_000, runMs: 1 })).toBe(2);
    expect(required({ ...one, backlog: 10, runMs: 1_000 })).toBe(2);
  });

  test("what is next in line for longer than 30 s asks for more, at most twice as much", () => {
    const busy = { arrivalsPerSecond: 128, backlog: 0 }; // exactly one worker
    expect(required(busy)).toBe(1);
    expect(required({ ...busy, ageMs: 30_000 })).toBe(1);
    expect(required({ ...busy, arrivalsPerSecond: 1_280 })).toBe(10);
    expect(required({ ...busy, arrivalsPerSecond: 1_280, ageMs: 45_000 })).toBe(15);
    expect(required({ ...busy, arrivalsPerSecond: 1_280, ageMs: 3_600_000 })).toBe(20);
  });

  test("deliveries that stand behind others of their keys ask for no more workers than there are keys", () => {
    const hot = { backlog: 50_000, arrivalsPerSecond: 100, concurrency: 10 };
    expect(required(hot)).toBe(128);
    expect(required({ ...hot, sideBySide: 4 })).toBe(1);
    expect(required({ ...hot, sideBySide: 80 })).toBe(10);
    // Where none stands behind another, what will come counts too.
    expect(required({ backlog: 3, sideBySide: 3, arrivalsPerSecond: 1_280 })).toBe(11);
  });

  test("more than a limit lets run at once needs no workers", () => {
    expect(required({ backlog: 50_000, limit: 8, concurrency: 10 })).toBe(1);
    expect(required({ backlog: 50_000, limit: 80, concurrency: 10 })).toBe(10);
  });

  test("queues that share slots are added before they are rounded", () => {
    const third = { ...PLAIN, arrivalsPerSecond: 42 };
    expect(requiredWorkers([third, third, third])).toBe(1);
    expect(requiredWorkers([third, third, third, third])).toBe(2);
  });
});

const ALL_TAGS = { all: true, untagged: false, only: [], never: [] };

function worker(
  process: string,
  pool: string,
  queues: readonly string[],
  more: Partial<WorkerFacts> = {},
): WorkerFacts {
  return {
    process,
    startedAtMs: 0,
    threads: 2,
    slots: 32,
    pool,
    serves: { queues: queues.map((queue) => ({ queue, weight: 1 })), tags: ALL_TAGS },
    shares: { chat: { threads: 1, slots: 8 }, work: { threads: 1, slots: 24 } },
    ...more,
  };
}

function queue(name: string, workers: readonly WorkerFacts[], more: Partial<QueueFigures> = {}): QueueFigures {
  const none = { ready: 0, claimed: 0, delayed: 0, dead: 0, sideBySide: 1e9, oldestMs: 0, typicalMs: 0 };
  const rates = { arrivalsPerSecond: 0, meanRunMs: null, slotsPerBusyThread: null, isPaused: false, limits: {} };
  const lately = { finishedPerSecond: 0, failedPerSecond: 0, lastFailure: undefined, claimers: [] };
  return { name, ...none, ...rates, ...lately, workers, ...more };
}

const load = (...queues: QueueFigures[]) => workloadOf(queues);
const FLOOD = { ready: 9_600, meanRunMs: 200 }; // 10 workers of 24 slots

describe("pools", () => {
  const [one, two, heavy] = [
    worker("1", "default", ["*"]),
    worker("2", "default", ["*"]),
    worker("3", "heavy", ["heavy", "video"]),
  ];

  test("a queue's work counts for the pool that names it, and what none names for the pool that serves all others", () => {
    expect(load(queue("default", [one, two]), queue("heavy", [one, heavy], FLOOD)).pools).toEqual([
      { name: "default", required: 1, workers: 2, queues: ["default"] },
      { name: "heavy", required: 10, workers: 1, queues: ["heavy"] },
    ]);
    expect(load(queue("default", [one, two], FLOOD), queue("video", [heavy])).pools).toMatchObject([
      { name: "default", required: 10 },
      { name: "heavy", required: 1, queues: ["video"] },
    ]);
  });

  test("a tagged queue counts for those that serve the tag", () => {
    const gpu = worker("4", "gpu", ["*"], {
      serves: { queues: [{ queue: "*", weight: 1 }], tags: { ...ALL_TAGS, all: false, only: ["gpu"] } },
    });
    const others = worker("5", "default", ["*"], {
      serves: { queues: [{ queue: "*", weight: 1 }], tags: { ...ALL_TAGS, never: ["gpu"] } },
    });
    const { pools } = load(queue("default", [others]), queue("default+gpu", [gpu], FLOOD));
    expect(pools).toMatchObject([
      { name: "default", queues: ["default"] },
      { name: "gpu", required: 10, queues: ["default+gpu"] },
    ]);
  });

  test("two pools that name a queue share its work", () => {
    const other = worker("6", "heavier", ["heavy"]);
    expect(load(queue("heavy", [heavy, other], FLOOD)).pools).toMatchObject([{ required: 5 }, { required: 5 }]);
  });

  test("Messages have slots of their own: the kind that needs more workers decides", () => {
    const chat = queue("chat", [one], { ready: 1_600, meanRunMs: 200 }); // 5 workers of 8 slots
    expect(load(chat, queue("default", [one], { ...FLOOD, ready: 3_840 })).pools).toMatchObject([{ required: 5 }]);
    expect(load(chat, queue("default", [one], FLOOD)).pools).toMatchObject([{ required: 10 }]);
  });

  test("while no worker lives the pool `default` is asked for what there is", () => {
    expect(load(queue("default", [], FLOOD)).pools).toEqual([
      { name: "default", required: 10, workers: 0, queues: ["default"] },
    ]);
    expect(load().pools).toEqual([{ name: "default", required: 1, workers: 0, queues: [] }]);
    expect(load(queue("default", [], FLOOD)).queues[0]?.drainSeconds).toBe(Number.POSITIVE_INFINITY);
  });

  test("a worker of an earlier release belongs to the pool `default` and serves everything", () => {
    const early: WorkerFacts = { process: "7", startedAtMs: 0, threads: 2, slots: 24 };
    expect(load(queue("default", [early], FLOOD)).pools).toEqual([
      { name: "default", required: 10, workers: 1, queues: ["default"] },
    ]);
  });
});

describe("what one worker really runs at once", () => {
  const one = worker("1", "default", ["*"]);
  const pools = (more: Partial<QueueFigures>) =>
    load(queue("default", [one], { ...FLOOD, ...more })).pools[0]?.required;

  test("runs that wait fill its slots, runs that compute only its threads", () => {
    expect(pools({ slotsPerBusyThread: 1_000 })).toBe(10);
    expect(pools({ slotsPerBusyThread: 6 })).toBe(40);
    expect(pools({ slotsPerBusyThread: 1 })).toBe(240);
    expect(pools({ slotsPerBusyThread: 0.2 })).toBe(240);
  });

  test("nothing is asked for what a paused queue holds, and only as much as a limit lets run", () => {
    expect(pools({ isPaused: true })).toBe(1);
    expect(pools({ limits: { concurrency: 48 } })).toBe(3);
    expect(pools({ limits: { perSecond: 240 } })).toBe(3);
  });

  test("of what has never run 100 ms are assumed", () => {
    expect(pools({ meanRunMs: null })).toBe(5);
  });

  test("it says until when the present workers are done", () => {
    const { queues } = load(queue("default", [one, worker("2", "default", ["*"])], FLOOD), queue("idle", [one]));
    expect(queues.map(({ drainSeconds }) => drainSeconds)).toEqual([40, 0]);
  });
});
