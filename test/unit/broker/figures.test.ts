// What workers' beats leave behind of a queue: how fast it goes, how long its runs take, how old what waits is.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Claims, Ran, WorkerFacts } from "../../../services/broker/claims.ts";
import { queueFigures, type QueueFigures } from "../../../services/broker/figures.ts";
import { setQueueLimits } from "../../../services/broker/limits.ts";
import { pause } from "../../../services/broker/pauses.ts";
import type { NewDelivery } from "../../../services/broker/producer.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Bench, envelope, outcome, TAKE } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";

const FACTS: WorkerFacts = { process: "p1", startedAtMs: 0, threads: 2, slots: 32, pool: "heavy" };

eachServer((_name, url) => {
  let client: RedisClient;
  let bench: Bench;
  beforeAll(() => {
    client = openRedis({ url: url(), name: "figures", purpose: "commands", onState: () => {} });
  });
  afterAll(() => closeRedis(client));
  beforeEach(() => {
    bench = new Bench(client);
  });

  const add = async (count: number, more: Partial<NewDelivery> = {}): Promise<void> => {
    const one = { route: 7, envelope: envelope("x"), ...more };
    await Promise.all(Array.from({ length: count }, () => bench.producer.enqueue("default", one)));
  };
  const figures = async (): Promise<QueueFigures> => {
    const [found] = await queueFigures(bench.context);
    if (found === undefined) throw new Error("no queue");
    return found;
  };
  /** `passMs` go by, then these beat. */
  const beat = async (passMs: number, ...told: readonly [Claims, Partial<Ran>][]): Promise<void> => {
    bench.offsetMs += passMs;
    for (const [worker, ran] of told) await worker.beat({ finished: 0, runMs: 0, heldMs: 0, busyMs: 0, ...ran });
  };
  const finish = async (worker: Claims, slots: number): Promise<number> => {
    const { runs } = await worker.take({ ...TAKE, slots });
    await worker.settle(runs.flat().map((claim) => outcome(claim, "done")));
    return runs.flat().length;
  };

  test("arrivals are what finished and what the backlog grew by, whoever of the workers tells it", async () => {
    const [one, two] = [await bench.worker("pod-1.a"), await bench.worker("pod-2.b")];
    await beat(0, [one, {}]);
    for (let second = 0; second < 150; second++) {
      await add(20);
      const [by1, by2] = [await finish(one, 12), await finish(two, 5)];
      await beat(500, [one, { finished: by1, runMs: 100 * by1 }]);
      await beat(500, [two, { finished: by2, runMs: 50 * by2 }]);
    }
    const { arrivalsPerSecond, meanRunMs, ready } = await figures();
    expect(ready).toBe(450);
    expect(arrivalsPerSecond).toBeGreaterThan(19);
    expect(arrivalsPerSecond).toBeLessThan(21);
    expect(meanRunMs).toBeCloseTo((12 * 100 + 5 * 50) / 17, 1);
  });

  test("what finishes and what fails is told per second, with the last failure, and is forgotten", async () => {
    const worker = await bench.worker("pod.1");
    const failure = { id: "the-origin", route: 7, message: 'no "answer"\nat all' };
    for (let second = 0; second < 150; second++) {
      await beat(1_000, [worker, { finished: 10, runMs: 100, failed: 3, failure }]);
    }
    const { finishedPerSecond, failedPerSecond, lastFailure } = await figures();
    expect(finishedPerSecond).toBeCloseTo(10, 0);
    expect(failedPerSecond).toBeCloseTo(3, 0);
    expect(lastFailure).toEqual({ ...failure, atMs: expect.any(Number) });
    await beat(120_000, [worker, {}]);
    expect((await figures()).failedPerSecond).toBeLessThan(0.1);
    expect((await figures()).lastFailure).toMatchObject(failure);
  });

  test("each worker is told with what it has claimed", async () => {
    const [one] = [await bench.worker("pod-1.a"), await bench.worker("pod-2.b")];
    await add(5);
    await one.take({ ...TAKE, slots: 3 });
    const claimed = (await figures()).claimers.map((claimer) => claimer.claimed);
    expect(claimed.sort()).toEqual([0, 3]);
  });

  test("what nobody serves arrives all the same, and what stops arriving is forgotten within minutes", async () => {
    const worker = await bench.worker("pod.1");
    await beat(0, [worker, {}]);
    await worker.bye([]);
    await add(300);
    bench.offsetMs += 30_000;
    expect((await figures()).arrivalsPerSecond).toBeCloseTo(10 * (1 - 1 / Math.E), 1);
    const again = await bench.worker("pod.2");
    await beat(0, [again, {}]);
    for (let minute = 0; minute < 3; minute++) await beat(60_000, [again, {}]);
    expect((await figures()).arrivalsPerSecond).toBeLessThan(0.1);
  });

  test("how long runs take is known until they take another time, however long nothing runs", async () => {
    const worker = await bench.worker("pod.1");
    expect(await figures()).toMatchObject({ meanRunMs: null, slotsPerBusyThread: null });
    await beat(1_000, [worker, { finished: 10, runMs: 5_000, heldMs: 5_000, busyMs: 1_250 }]);
    expect(await figures()).toMatchObject({ meanRunMs: 500, slotsPerBusyThread: 4 });
    await bench.pass(1, [worker]);
    for (let day = 0; day < 3; day++) await beat(86_400_000, [worker, {}]);
    const later = await figures();
    expect(later.meanRunMs).toBeCloseTo(500, 0);
    expect(later.slotsPerBusyThread).toBeCloseTo(4, 0);
    for (let second = 0; second < 120; second++)
      await beat(1_000, [worker, { finished: 10, runMs: 100, heldMs: 100, busyMs: 100 }]);
    const now = await figures();
    expect(now.meanRunMs).toBeCloseTo(10, 0);
    expect(now.slotsPerBusyThread).toBeCloseTo(1, 0);
  });

  test("runs that have not finished yet take at least as long as they have taken", async () => {
    const worker = await bench.worker("pod.1");
    await add(4);
    await worker.take(TAKE);
    for (let second = 0; second < 10; second++) await beat(1_000, [worker, { heldMs: 4_000, busyMs: 20 }]);
    const { meanRunMs } = await figures();
    expect(meanRunMs).toBeGreaterThan(8_000);
    expect(meanRunMs).toBeLessThan(10_000);
  });

  test("a meter that a failover took back, that cannot be read, or a clock that was set back, does no harm", async () => {
    const worker = await bench.worker("pod.1");
    const meter = `${bench.context.keys.queue("default")}:m`;
    await beat(1_000, [worker, { finished: 100, runMs: 1_000 }]);
    await beat(1_000, [worker, { finished: 100, runMs: 1_000 }]);
    await add(5_000);
    for (const broken of [null, "no figures", "1 2 3"]) {
      if (broken === null) await client.hdel(meter, "flow");
      else await client.hset(meter, "flow", broken);
      expect(await figures()).toMatchObject({ arrivalsPerSecond: 0, meanRunMs: null, ready: 5_000 });
      await beat(1_000, [worker, { finished: 10, runMs: 50 }]);
      await beat(1_000, [worker, {}]);
      expect((await figures()).arrivalsPerSecond).toBeLessThan(2);
      expect((await figures()).meanRunMs).toBeCloseTo(5);
    }
    bench.offsetMs -= 3_000;
    await beat(0, [worker, { finished: 10, runMs: 50 }]);
    await beat(1_000, [worker, { finished: 10, runMs: 50 }]);
    expect((await figures()).meanRunMs).toBeCloseTo(5);
    expect((await figures()).arrivalsPerSecond).toBeLessThan(2);
  });

  test("what waits for itself counts as it is: ready, claimed, delayed, dead, and what could run side by side", async () => {
    const worker = await bench.worker("pod.1");
    await add(3);
    await add(5, { key: "k" });
    await add(2, { key: "l" });
    await add(1, { delayMs: 60_000 });
    const { runs } = await worker.take({ slots: 1, run: 1, order: "0123" });
    await worker.settle([outcome(runs.flat()[0] ?? never(), "dead", { error: "no" })]);
    await worker.take({ slots: 1, run: 1, order: "0123" });
    const found = await figures();
    expect(found).toMatchObject({ ready: 8, claimed: 1, delayed: 1, dead: 1, isPaused: false });
    // Two keys and three unkeyed ones, less the one that is dead.
    expect(found.sideBySide).toBeLessThanOrEqual(5);
    expect(found.sideBySide).toBeGreaterThanOrEqual(4);
    bench.offsetMs += 61_000;
    expect(await figures()).toMatchObject({ delayed: 0, ready: 9 });
  });

  test("what is set aside for a pause is not ready, with all that stands behind it; a queue can be paused and limited", async () => {
    const worker = await bench.worker("pod.1");
    await add(4, { key: "k" });
    await pause(bench.context, "default", { kind: "key", key: "k" });
    await worker.take(TAKE);
    expect(await figures()).toMatchObject({ ready: 0, claimed: 0, sideBySide: 0, isPaused: false, limits: {} });
    await pause(bench.context, "default", { kind: "queue" });
    await setQueueLimits(bench.context, "default", { concurrency: 3, rate: { limit: 60, perMs: 60_000 } });
    expect(await figures()).toMatchObject({ isPaused: true, limits: { concurrency: 3, perSecond: 1 } });
  });

  test("the oldest ready one tells its age, and no delay counts for longer than something has been ready", async () => {
    const worker = await bench.worker("pod.1");
    await add(1, { delayMs: 600_000 });
    expect((await figures()).oldestMs).toBe(0);
    await beat(599_500, [worker, {}]);
    bench.offsetMs += 3_000;
    await worker.beat();
    // Ready for 2.5 s; nothing was 3 s ago.
    const { oldestMs } = await figures();
    expect(oldestMs).toBeGreaterThanOrEqual(2_490);
    expect(oldestMs).toBeLessThan(4_000);
    await finish(worker, 8);
    expect((await figures()).oldestMs).toBe(0);
    await beat(1_000, [worker, {}]);
    await add(2, { key: "a" });
    await add(1);
    bench.offsetMs += 40_010;
    expect((await figures()).oldestMs).toBeGreaterThanOrEqual(40_000);
    expect((await figures()).typicalMs).toBeGreaterThanOrEqual(40_000);
  });

  test("one that waited long because it was delayed does not make a typical age", async () => {
    const worker = await bench.worker("pod.1");
    await add(1, { delayMs: 600_000 });
    await add(1);
    await beat(600_500, [worker, {}]);
    await worker.take({ slots: 1, run: 1, order: "0123" });
    await add(7);
    const { oldestMs, typicalMs } = await figures();
    expect(oldestMs).toBeGreaterThan(500_000);
    expect(typicalMs).toBeLessThan(100_000);
  });

  test("living workers are told, with what they said of themselves", async () => {
    const worker = await bench.worker("pod.1");
    await worker.register({ clientId: "", pod: "pod", facts: FACTS });
    const old = await bench.worker("old.1");
    await old.register({ clientId: "9", pod: "old" });
    expect((await figures()).workers).toEqual([FACTS]);
    bench.offsetMs += 6_000;
    expect((await figures()).workers).toEqual([]);
  });

  test("reading writes nothing", async () => {
    const worker = await bench.worker("pod.1");
    await beat(1_000, [worker, { finished: 10, runMs: 50 }]);
    const meter = await client.hgetall(`${bench.context.keys.queue("default")}:m`);
    bench.offsetMs += 10_000;
    await figures();
    expect(await client.hgetall(`${bench.context.keys.queue("default")}:m`)).toEqual(meter);
  });
});

function never(): never {
  throw new Error("nothing was taken");
}
