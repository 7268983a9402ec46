// Dead letters: found by the id that was told, run again under it, forgotten with everything they left.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { deadLetters, findDeadLetter, purgeDead, retryDead } from "../../../services/broker/dead.ts";
import { encodeEnvelope } from "../../../services/broker/delivery.ts";
import { queueDepth } from "../../../services/broker/inspect.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Bench, outcome, payloadOf, TAKE, takeOne } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";

eachServer((_name, url) => {
  let client: RedisClient;
  let bench: Bench;

  beforeAll(() => {
    client = openRedis({ url: url(), name: "dead", purpose: "commands", onState: () => {} });
  });
  beforeEach(() => {
    bench = new Bench(client);
  });
  afterAll(() => closeRedis(client));

  async function bury(text: string, key = ""): Promise<string> {
    const envelope = encodeEnvelope({ v: 1, kind: "job", route: "deploy.ship" }, text);
    const { id } = await bench.add("", { envelope, key });
    const w = await bench.worker(`w-${id}`);
    await w.settle([outcome(await takeOne(w), "dead", { error: "because\0of this" })]);
    return id;
  }

  test("one is listed with its reason, route and attempts, large or small", async () => {
    const [small, large] = [await bury("x", "k\0ey"), await bury("y".repeat(5000))];
    const letters = await deadLetters(bench.context, "default", { limit: 10 });
    expect(letters.map(({ id, key, reason }) => [id, key, reason])).toEqual([
      [large, "", "because of this"],
      [small, "k\0ey", "because of this"],
    ]);
    expect(letters.map(({ header, element }) => [header?.route, element.attempts])).toEqual([
      ["deploy.ship", 1],
      ["deploy.ship", 1],
    ]);
  });

  test("run again it has its id, its key and its body, and no failures", async () => {
    const id = await bury("again", "k");
    await bench.add("later", { key: "k" });
    const letter = await findDeadLetter(bench.context, ["chat", "default"], id);
    expect(letter && (await retryDead(bench.context, "default", [letter]))).toBe(1);
    expect(letter && (await retryDead(bench.context, "default", [letter]))).toBe(0);
    const taken = (await (await bench.worker("w")).take(TAKE)).runs.flat();
    expect(taken.map((claim) => [payloadOf(claim), claim.element.attempts])).toEqual([
      ["later", 0],
      ["again", 0],
    ]);
    expect(await deadLetters(bench.context, "default", { limit: 10 })).toEqual([]);
  });

  test("purged it leaves nothing", async () => {
    await bury("z".repeat(5000));
    const letters = await deadLetters(bench.context, "default", { limit: 10 });
    expect(await purgeDead(bench.context, "default", letters)).toBe(1);
    expect(await queueDepth(bench.context, "default")).toMatchObject({ dead: 0, stored: 0 });
    expect(await client.keys(`${bench.context.keys.tag}:*:b:*`)).toEqual([]);
    expect(await client.keys(`${bench.context.keys.tag}:*:e:*`)).toEqual([]);
  });
});
