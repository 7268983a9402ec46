// What real workers' beats tell of their queues: how long runs take, and how many a worker really runs at once.

import { afterEach, beforeEach, expect, test } from "vitest";
import { queueFigures, type QueueFigures } from "../../services/broker/figures.ts";
import { workload } from "../../services/broker/workload.ts";
import { Lab } from "../support/handling.ts";
import { eachServer } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";

const PATIENT = { timeoutMs: 60_000 };

eachServer((_name, url) => {
  let lab: Lab;
  beforeEach(() => {
    lab = new Lab(url());
  });
  afterEach(() => lab.stop());

  const figuresOf = async (name: string): Promise<QueueFigures | undefined> =>
    (await queueFigures(lab.broker)).find((queue) => queue.name === name);
  const enqueue = (what: string, ms: number, count: number, queue = "default"): Promise<unknown> =>
    Promise.all(Array.from({ length: count }, (_, index) => lab.enqueue(what, `${index}`, { ms, queue })));
  const isEmpty = async (name: string): Promise<boolean> => {
    const found = await figuresOf(name);
    return found?.ready === 0 && found.claimed === 0;
  };

  test("runs that wait share a thread, runs that compute do not", async () => {
    await lab.work();
    await enqueue("rest", 400, 60);
    await waitFor(() => isEmpty("default"), PATIENT);
    const waiting = await waitFor(async () => {
      const found = await figuresOf("default");
      return (found?.meanRunMs ?? 0) > 0 ? found : undefined;
    }, PATIENT);
    // They hold their slots for that long, and threads are busy for next to nothing.
    expect(waiting.meanRunMs).toBeGreaterThan(390);
    expect(waiting.slotsPerBusyThread).toBeGreaterThan(4);

    await enqueue("grind", 50, 80, "cpu");
    await waitFor(() => isEmpty("cpu"), PATIENT);
    const computing = await waitFor(async () => {
      const found = await figuresOf("cpu");
      return (found?.meanRunMs ?? 0) > 0 ? found : undefined;
    }, PATIENT);
    // One thread computes them one after another, whatever number of slots they hold meanwhile.
    const perThread = (computing.meanRunMs ?? 0) / (computing.slotsPerBusyThread ?? 1);
    expect(perThread).toBeGreaterThan(30);
    expect(perThread).toBeLessThan(400);
  });

  test("a run that goes on is counted before it ends", async () => {
    await lab.work();
    await enqueue("hold", 0, 4);
    await waitFor(async () => ((await figuresOf("default"))?.meanRunMs ?? 0) > 2_000, PATIENT);
    lab.openGate();
    await waitFor(() => isEmpty("default"), PATIENT);
  });

  test("arrivals are told although nothing waits, and workers with their pool", async () => {
    await lab.work({ pod: "one", env: { ANTIPHON_POOL: "heavy", ANTIPHON_QUEUES: "default,chat" } });
    await lab.work({ pod: "two" });
    for (let round = 0; round < 3; round++) {
      await enqueue("note", 0, 40);
      await waitFor(() => isEmpty("default"), PATIENT);
    }
    await waitFor(async () => ((await figuresOf("default"))?.arrivalsPerSecond ?? 0) > 0.5, PATIENT);
    const { pools } = await workload(lab.broker);
    expect(pools).toEqual([
      { name: "default", required: 1, workers: 1, queues: [] },
      { name: "heavy", required: 1, workers: 1, queues: ["chat", "default"] },
    ]);
  });
});
