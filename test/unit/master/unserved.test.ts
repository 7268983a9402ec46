// Queues with work that nobody takes: found, told in time and not too often, and none that is merely quiet.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { orderWorker } from "../../../services/broker/orders.ts";
import { unservedQueues } from "../../../services/broker/unserved.ts";
import { Unserved } from "../../../services/master/unserved.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { type Clock, systemClock } from "../../../services/runtime/clock.ts";
import { Bench, envelope, outcome, takeOne } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

eachServer((_name, getUrl) => {
  let client: RedisClient;
  let bench: Bench;
  let running: Unserved | undefined;

  beforeAll(() => {
    client = openRedis({ url: getUrl(), name: "unserved", purpose: "commands", onState: () => {} });
  });
  afterAll(() => closeRedis(client));
  beforeEach(() => {
    bench = new Bench(client);
  });
  afterEach(() => running?.stop());

  const add = (queue: string, delayMs = 0) =>
    bench.producer.enqueue(queue, { route: 7, envelope: envelope("x"), delayMs });
  const found = () => unservedQueues(bench.context);

  test("a queue is unserved as long as it has work and no worker lives in it", async () => {
    await add("gpu");
    await add("gpu", 60_000);
    expect(await found()).toEqual([{ queue: "gpu", waiting: 1 }]);
    const worker = await bench.worker("pod.1", "gpu");
    expect(await found()).toEqual([]);
    const claim = await takeOne(worker);
    bench.offsetMs = 6_000;
    expect(await found()).toEqual([{ queue: "gpu", waiting: 1 }]);
    await worker.beat();
    expect(await found()).toEqual([]);
    await worker.settle([outcome(claim, "done")]);
    await worker.bye([]);
    expect(await found()).toEqual([]);
    bench.offsetMs = 61_000;
    expect(await found()).toEqual([{ queue: "gpu", waiting: 1 }]);
  });

  test("dead letters and outboxes are no work, and a worker that was told to be quiet serves nobody", async () => {
    await add("outbox/fake");
    await add("default");
    const worker = await bench.worker("pod-7.1");
    await orderWorker(bench.context, "pod-7", "quiet");
    expect(await found()).toEqual([{ queue: "default", waiting: 1 }]);
    await orderWorker(bench.context, "pod-7", null);
    expect(await found()).toEqual([]);
    await worker.settle([outcome(await takeOne(worker), "dead", { error: "broken" })]);
    await worker.bye([]);
    expect(await found()).toEqual([]);
  });

  test("it is told after ten seconds, once a minute, and no more when it is served", async () => {
    await add("gpu");
    const told: { atMs: number; line: string }[] = [];
    // A hundred times as fast.
    const clock: Clock = {
      ...systemClock,
      monotonic: () => performance.now() * 100,
      sleep: (ms, signal) => systemClock.sleep(ms / 100, signal),
    };
    const startMs = clock.monotonic();
    const emit = (name: string, fields: object): void =>
      void told.push({ atMs: clock.monotonic() - startMs, line: `${name} ${JSON.stringify(fields)}` });
    const { signal } = new AbortController();
    const tenure = {
      unit: "control",
      epoch: "1",
      signal,
      held: () => true,
      confirmed: async () => true,
      assert: () => {},
    };
    running = new Unserved({ broker: bench.context, tenure, clock, random: Math.random, emit });
    await running.start();
    await waitFor(() => told.length === 2);
    const [first, second] = told;
    expect(first?.line).toBe('queue.unserved {"queue":"gpu","waiting":1}');
    expect(first?.atMs).toBeGreaterThanOrEqual(10_000);
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(60_000);
    await bench.worker("pod.1", "gpu");
    const until = clock.monotonic() + 70_000;
    await waitFor(() => clock.monotonic() > until);
    expect(told).toHaveLength(2);
  });
});
