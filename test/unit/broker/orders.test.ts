// Orders of operators stand until they are taken back; those of the scaler end by themselves and give way to an operator's.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { orderWorker, ordersOf, quietedPods, quietPods } from "../../../services/broker/orders.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Bench } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

eachServer((_name, getUrl) => {
  let client: RedisClient;
  let bench: Bench;

  beforeAll(async () => {
    client = openRedis({ url: getUrl(), name: "orders", purpose: "commands", onState: () => {} });
    await waitFor(() => client.ping());
  });
  afterAll(() => closeRedis(client));
  beforeEach(async () => {
    bench = new Bench(client);
    await client.set(bench.context.keys.epoch("control"), "7");
  });

  const quiet = (pods: readonly string[], ms = 60_000, epoch = "7") => quietPods(bench.context, { epoch, pods, ms });
  const heard = async (pod: string) => (await (await bench.worker(`${pod}.1`)).beat()).order;

  test("a quieted pod is quiet for as long as it was told, then goes on", async () => {
    expect(await quiet(["a", "b"])).toEqual(["a", "b"]);
    expect([await heard("a"), await ordersOf(bench.context)]).toEqual([
      "quiet",
      new Map([
        ["a", "quiet"],
        ["b", "quiet"],
      ]),
    ]);
    bench.offsetMs = 60_001;
    expect([await heard("a"), await ordersOf(bench.context)]).toEqual(["", new Map()]);
    expect((await quietedPods(bench.context)).toSorted()).toEqual(["a", "b"]);
  });

  test("what an operator ordered is neither replaced nor ended, before or after", async () => {
    await orderWorker(bench.context, "a", "quiet");
    await orderWorker(bench.context, "b", "stop");
    expect(await quiet(["a", "b", "c"])).toEqual(["c"]);
    await orderWorker(bench.context, "c", "quiet");
    expect(await quiet(["a", "b", "c"], 0)).toEqual([]);
    bench.offsetMs = 600_000;
    expect([await heard("a"), await heard("b"), await heard("c")]).toEqual(["quiet", "stop", "quiet"]);
  });

  test("a former leader quiets nobody, and lets nobody go on", async () => {
    await expect(quiet(["a"], 60_000, "6")).rejects.toMatchObject({ code: "FENCED" });
    await quiet(["a"]);
    await expect(quiet(["a"], 0, "6")).rejects.toMatchObject({ code: "FENCED" });
    expect(await heard("a")).toBe("quiet");
  });
});
