// What the queue client tells of workers, from what they say of themselves when they register.

import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Claims } from "../../../services/broker/claims.ts";
import { openQueue, type Queue } from "../../../services/queue/queue.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Bench } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

eachServer((_name, url) => {
  let client: RedisClient;
  let bench: Bench;
  let queue: Queue;

  beforeEach(async () => {
    client = openRedis({ url: url(), name: "workers-test", purpose: "commands", onState: () => {} });
    const namespace = `q${randomUUID()}`;
    bench = new Bench(client, namespace);
    queue = await openQueue({ url: url(), namespace });
  });
  afterEach(async () => {
    await queue.close();
    await closeRedis(client);
  });

  test("of a worker it is told since when it is there and how much it runs at once, whatever it serves", async () => {
    const facts = { process: "a", startedAtMs: 1_700_000_000_000, threads: 2, slots: 32 };
    for (const [queue, wid] of [
      ["default", "pod-1.a"],
      ["low", "pod-1.b"],
    ] as const) {
      const claims = new Claims({ ...bench.context, queue, wid });
      await claims.register({ clientId: "1", pod: "pod-1", facts });
    }
    expect(await queue.workers.list()).toEqual([
      {
        pod: "pod-1",
        processes: ["a"],
        queues: ["default", "low"],
        claimed: 0,
        order: "",
        slots: 32,
        threads: 2,
        startedAt: new Date(1_700_000_000_000),
      },
    ]);
  });

  test("of a queue it is told which weight each pool gives it, and how old its oldest is", async () => {
    const tags = { all: true, untagged: false, only: [], never: [] };
    const size = { startedAtMs: 1_700_000_000_000, threads: 2, slots: 32 };
    for (const [pool, queues] of [
      ["heavy", [{ queue: "low", weight: 3 }]],
      ["default", [{ queue: "*", weight: 1 }]],
    ] as const) {
      const claims = new Claims({ ...bench.context, queue: "low", wid: `${pool}.a` });
      const facts = { ...size, process: pool, pool, serves: { queues, tags } };
      await claims.register({ clientId: "1", pod: pool, facts });
    }
    await bench.producer.enqueue("low", { route: 0, envelope: "x" });
    expect((await queue.show("low")).weights).toEqual([
      { pool: "default", weight: 1 },
      { pool: "heavy", weight: 3 },
    ]);
    await waitFor(async () => (await queue.show("low")).oldestMs > 0);
  });
});
