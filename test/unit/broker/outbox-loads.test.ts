// What waits to be said in chat, by unit, beside the work of workers; and work that nobody serves.

import { afterEach, beforeEach, expect, test } from "vitest";
import { wholeLoad } from "../../../services/broker/workload.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Bench, envelope } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";

eachServer((_name, url) => {
  let client: RedisClient;
  let bench: Bench;
  beforeEach(() => {
    client = openRedis({ url: url(), name: "test", purpose: "commands", onState: () => {} });
    bench = new Bench(client);
  });
  afterEach(() => closeRedis(client));

  test("each unit's Actions are told under its own name, with the age of the oldest, and are no work for workers", async () => {
    for (const key of ["#ops", "#ops", "#dev"])
      await bench.producer.enqueue("outbox/irc/libera", { route: 0, key, envelope: envelope("hello") });
    bench.offsetMs = 5_000;
    const { outboxes, queues } = await wholeLoad(bench.context);
    expect(outboxes).toEqual([
      { name: "irc/libera", ready: 3, claimed: 0, delayed: 0, dead: 0, oldestMs: expect.any(Number) },
    ]);
    expect(outboxes[0]?.oldestMs).toBeGreaterThanOrEqual(5_000);
    expect(queues).toEqual([]);
  });

  test("a queue is unserved while something waits there and no worker of it lives", async () => {
    const unserved = async (): Promise<unknown> =>
      (await wholeLoad(bench.context)).queues.map(({ name, isUnserved }) => [name, isUnserved]);
    await bench.add("work");
    expect(await unserved()).toEqual([["default", true]]);
    await bench.worker("w1");
    expect(await unserved()).toEqual([["default", false]]);
    bench.offsetMs = 60_000; // it did not beat any more
    expect(await unserved()).toEqual([["default", true]]);
  });
});
