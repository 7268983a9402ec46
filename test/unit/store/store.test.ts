// The handlers' own values: a run reads what it wrote, and nothing of a failed run remains.

import { randomUUID } from "node:crypto";
import { afterAll, beforeEach, expect, test } from "vitest";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { DeliveryStore, StoreReader } from "../../../services/store/store.ts";
import { testRedis } from "../../support/redis.ts";

let client: RedisClient;
let keys: Keys;

beforeEach(async () => {
  client ??= openRedis({ url: (await testRedis()).url, name: "test", purpose: "commands", onState: () => {} });
  keys = new Keys(`t${randomUUID()}`, 0);
});
afterAll(() => closeRedis(client));

test("a run reads its own writes, then those that the delivery kept, then Redis", async () => {
  await client.hset(keys.store("h"), { a: "1", b: "2" });
  const delivery = new DeliveryStore(new StoreReader(client, keys));
  const first = delivery.open("h");
  first.set("a", "10");
  first.set("b", null);
  expect([await first.get("a"), await first.get("b"), await first.get("c")]).toEqual(["10", null, null]);
  delivery.keep("h", first);
  const failed = delivery.open("h");
  failed.set("a", "99");
  const last = delivery.open("h");
  last.set("c", "3");
  expect([await last.get("a"), await last.get("b")]).toEqual(["10", null]);
  expect(await delivery.open("other").get("a")).toBeNull();
  delivery.keep("h", last);
  expect(delivery.writes).toEqual([
    { handler: "h", field: "a", value: "10" },
    { handler: "h", field: "b", value: null },
    { handler: "h", field: "c", value: "3" },
  ]);
  expect(await client.hgetall(keys.store("h"))).toEqual({ a: "1", b: "2" });
});
