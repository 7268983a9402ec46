// DistributedCache: all copies become equal, whoever wrote when.

import { afterEach, beforeAll, expect, test } from "vitest";
import {
  DistributedCache,
  type DistributedCacheOptions,
  type MessageBus,
  openBus,
} from "../../../services/bus/plugin.ts";
import { closeRedis, openRedis } from "../../../services/redis/connect.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { randomId } from "../../../services/runtime/ids.ts";
import { testRedis } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

const LONG_MS = { timeoutMs: 20_000 };
let url = "";
const closers: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  ({ url } = await testRedis());
});
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function open(namespace: string): Promise<MessageBus> {
  const bus = await openBus({ url, namespace });
  closers.push(() => bus.close());
  return bus;
}

async function cache(bus: MessageBus, options: Partial<DistributedCacheOptions> = {}): Promise<DistributedCache> {
  const made = new DistributedCache({ bus, name: "c", ...options });
  await made.start();
  closers.push(async () => made.stop());
  return made;
}

async function two(options: Partial<DistributedCacheOptions> = {}): Promise<[DistributedCache, DistributedCache]> {
  const namespace = `c${randomId()}`;
  return [await cache(await open(namespace), options), await cache(await open(namespace), options)];
}

test("what one copy sets, deletes and clears, the others see; its own promise waits for its own copy", async () => {
  const [one, other] = await two();
  await one.set("a", { deep: [1, null] });
  expect(one.get("a")).toEqual({ deep: [1, null] });
  await waitFor(() => other.get("a") !== undefined, LONG_MS);
  await other.delete("a");
  await waitFor(() => one.get("a") === undefined, LONG_MS);
  await one.set("b", 1);
  await one.clear();
  await waitFor(() => other.size === 0 && one.size === 0, LONG_MS);
});

test("copies that write the same keys at the same time become equal", async () => {
  const [one, other] = await two();
  const writes = Array.from({ length: 100 }, (_, n) => [one.set(`k${n}`, "one"), other.set(`k${n}`, "other")]);
  await Promise.all(writes.flat());
  await one.set("last", true);
  await waitFor(() => other.get("last"), LONG_MS);
  for (let n = 0; n < 100; n++) expect(other.get(`k${n}`)).toBe(one.get(`k${n}`));
});

test("a copy that comes later has what the others have", async () => {
  const namespace = `c${randomId()}`;
  const one = await cache(await open(namespace));
  await one.set("a", 1);
  await one.set("a", 2);
  expect((await cache(await open(namespace))).get("a")).toBe(2);
});

test("entries of another version, and of other caches, are never seen", async () => {
  const bus = await open(`c${randomId()}`);
  const [old, young, none] = [
    await cache(bus, { appVersion: "1" }),
    await cache(bus, { appVersion: "2" }),
    await cache(bus),
  ];
  const else_ = await cache(bus, { name: "else" });
  await old.set("a", "old");
  await young.set("b", "young");
  await young.clear();
  expect([old.get("a"), young.get("a"), none.get("a"), else_.get("a")]).toEqual([
    "old",
    undefined,
    undefined,
    undefined,
  ]);
});

test("entries have a time, and the oldest give way when there are too many", async () => {
  let now = 1_000;
  const clock = { ...systemClock, now: () => now };
  const one = await cache(await open(`c${randomId()}`), { ttlMs: 100, entriesMax: 2, clock });
  await one.set("a", 1);
  await one.set("b", 2);
  await one.set("a", 3);
  await one.set("c", 4);
  expect([one.get("a"), one.get("b"), one.get("c")]).toEqual([3, undefined, 4]);
  now += 100;
  expect([one.get("a"), one.size]).toEqual([undefined, 1]);
});

test("a copy that missed something for good begins anew", async () => {
  const namespace = `c${randomId()}`;
  const [one, other] = [await cache(await open(namespace)), await cache(await open(namespace))];
  await one.set("a", 1);
  await waitFor(() => other.get("a"), LONG_MS);
  const client = openRedis({ url, name: "test", purpose: "commands", onState: () => {} });
  const prefix = `{${namespace}:0}:bus`;
  await client.del(`${prefix}:m:/distributed_hash/c`, `${prefix}:s:/distributed_hash/c`);
  await closeRedis(client);
  await one.set("b", 2);
  await waitFor(() => other.get("b"), LONG_MS);
  expect([one.get("a"), other.get("a")]).toEqual([undefined, undefined]);
});

test("what JSON would change is refused, and the copy stays as it is", async () => {
  const one = await cache(await open(`c${randomId()}`));
  await expect(one.set("a", new Date())).rejects.toMatchObject({ code: "VALUE_NOT_JSON" });
  expect(one.get("a")).toBeUndefined();
});
