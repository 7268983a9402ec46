// Who is in which group, and that doubt means no.

import { randomUUID } from "node:crypto";
import { afterAll, beforeEach, expect, test } from "vitest";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { hasCode } from "../../../services/runtime/errors.ts";
import { Groups, NOBODY } from "../../../services/store/groups.ts";
import { testRedis } from "../../support/redis.ts";

let client: RedisClient;
let keys: Keys;
let groups: Groups;

beforeEach(async () => {
  client ??= openRedis({ url: (await testRedis()).url, name: "test", purpose: "commands", onState: () => {} });
  keys = new Keys(`t${randomUUID()}`, 0);
  groups = new Groups({ client, keys, declared: { fixed: ["web:bob"], open: [] }, admins: ["web:root"] });
});
afterAll(() => closeRedis(client));

test("members come from the configuration, or from Redis where it names nobody", async () => {
  await client.hset(keys.group("open"), "web:ann", "1");
  await client.hset(keys.group("fixed"), "web:ann", "1");
  const ann = await groups.membershipOf({ id: "web:ann" });
  const bob = await groups.membershipOf({ id: "web:bob" });
  expect([ann.may(["open"]), ann.may(["fixed"]), ann.may(["fixed", "open"])]).toEqual([true, false, true]);
  expect([bob.may(["open"]), bob.may(["fixed"]), bob.may(undefined), bob.may([])]).toEqual([false, true, true, false]);
  expect(await groups.members("open")).toEqual(["web:ann"]);
  expect(await groups.members("fixed")).toEqual(["web:bob"]);
  expect(await groups.has("fixed", "web:ann")).toBe(false);
  expect([groups.isFixed("fixed"), groups.isFixed("open"), groups.isDeclared("nope")]).toEqual([true, false, false]);
});

test("admins may everything, by configuration or because whoever took the event in says so", async () => {
  expect((await groups.membershipOf({ id: "web:root" })).may(["anything"])).toBe(true);
  expect((await groups.membershipOf({ id: "web:guest", admin: true })).may(["anything"])).toBe(true);
  expect((await groups.membershipOf({ id: "web:guest" })).may(["admins"])).toBe(false);
  expect([NOBODY.may(["open"]), NOBODY.may(undefined)]).toEqual([false, true]);
});

test("what cannot be read is not granted", async () => {
  await client.set(keys.group("open"), "no hash");
  const ann = await groups.membershipOf({ id: "web:ann" });
  expect([ann.may(["open"]), ann.unreadable === undefined]).toEqual([false, false]);
  await expect(groups.members("open")).rejects.toSatisfy((error) => hasCode(error, "REDIS_UNAVAILABLE"));
});
