// The doctor on lines, keys and claims: each is corrupted on purpose beside a small busy queue; that is told, without a write,
// and mended, with nothing lost: everything runs once, each key in its order.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import type { Bench } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";
import { idOf, Ward } from "../../support/ward.ts";

eachServer((_name, url) => {
  let client: RedisClient;
  let ward: Ward;
  let bench: Bench;
  let p: string;

  beforeAll(() => {
    client = openRedis({ url: url(), name: "doctor", purpose: "commands", onState: () => {} });
  });
  afterAll(() => closeRedis(client));
  beforeEach(async () => {
    ward = new Ward(client);
    ({ bench, prefix: p } = ward);
    await ward.prepare();
  });

  test("a key in no place is put in line", async () => {
    await client.lrem(`${p}:r1`, 0, "a");
    await ward.toldAndMended({ codes: ["key-nowhere"] });
  });
  test("a key twice in line", async () => {
    await client.rpush(`${p}:r1`, "a");
    await ward.toldAndMended({ codes: ["ring-twice"] });
  });
  test("a key in line of two classes", async () => {
    await client.rpush(`${p}:r2`, "a");
    await ward.toldAndMended({ codes: ["ring-twice"] });
  });
  test("a key in line of the wrong class", async () => {
    await client.lrem(`${p}:r3`, 0, "low");
    await client.rpush(`${p}:r0`, "low");
    await ward.toldAndMended({ codes: ["ring-class"] });
    expect(await client.lrange(`${p}:r0`, 0, -1)).toEqual([]);
  });
  test("a key without deliveries in line", async () => {
    await client.rpush(`${p}:r1`, "nothing");
    await ward.toldAndMended({ codes: ["ring-none"] });
  });
  test("a key in line that a worker has", async () => {
    await client.rpush(`${p}:r1`, "busy");
    await ward.toldAndMended({ codes: ["ring-claim"] });
  });
  test("a key in line that waits: it stays in line, for its due time may be wrong", async () => {
    await client.rpush(`${p}:r1`, "parked");
    await ward.toldAndMended({ codes: ["parked-ring"] });
  });
  test("a key that waits without deliveries", async () => {
    await client.zadd(`${p}:d`, Date.now() + 1e6, "Knothing");
    await ward.toldAndMended({ codes: ["parked-none"] });
  });
  test("a key that waits while a worker has it", async () => {
    await client.zadd(`${p}:d`, Date.now() + 1e6, "Kbusy");
    await ward.toldAndMended({ codes: ["parked-claim"] });
  });
  test("a key that should wait and does not", async () => {
    await client.zrem(`${p}:d`, "Kparked");
    await ward.toldAndMended({ codes: ["key-nowhere"] });
  });

  test("a claim of what is not first", async () => {
    const second = (await client.lindex(`${p}:k:a`, 1)) ?? "";
    await client.hset(`${p}:c:pod.2`, idOf(second), `17\0${second}\0a`);
    await ward.toldAndMended({ codes: ["claim-no-prefix"] });
  });
  test("a claim whose delivery its list lacks", async () => {
    await client.lpop(`${p}:k:busy`);
    await ward.toldAndMended({ codes: ["claim-unlisted"] });
  });
  test("two workers with one key: who claimed it last keeps it", async () => {
    const element = await ward.head("busy");
    await client.hset(`${p}:c:pod.2`, idOf(element), `17\0${element}\0busy`);
    await ward.toldAndMended({ codes: ["claim-second"] });
  });
  test("a claim that cannot be read", async () => {
    await client.hset(`${p}:c:pod.2`, "12", "nonsense");
    await ward.toldAndMended({ codes: ["claim-unreadable"] });
  });
  test("claims of a worker that is not registered go back", async () => {
    await client.zrem(`${p}:wk`, "pod.1");
    const findings = await ward.toldAndMended({ codes: ["claims-unregistered", "info-unregistered"] });
    expect(findings.map(({ about }) => about)).toEqual(["pod.1", "pod.1"]);
  });
  test("claims of an unknown worker go back, uncounted", async () => {
    await client.rename(`${p}:c:pod.1`, `${p}:c:pod.9`);
    const element = await ward.head("busy");
    bench.offsetMs += 11_000;
    expect((await ward.examine({ repair: true })).isSound).toBe(true);
    expect(await ward.head("busy")).toBe(element);
    expect(await client.lrange(`${p}:r1`, 0, -1)).toContain("busy");
  });
  test("a worker that is described and not registered", async () => {
    await client.hset(`${p}:wi`, "pod.9", "17 pod");
    await ward.toldAndMended({ codes: ["info-unregistered"] });
  });
  test("a worker that is registered and not described", async () => {
    await client.hdel(`${p}:wi`, "pod.1");
    await ward.toldAndMended({ codes: ["worker-unnamed"] });
  });
  test("a worker whose claims never run out", async () => {
    await client.zadd(`${p}:wk`, "XX", Date.now() + 1e9, "pod.1");
    await ward.toldAndMended({ codes: ["worker-immortal"] });
  });

  test("an unkeyed delivery twice in line", async () => {
    const element = (await client.lindex(`${p}:w1`, 0)) ?? "";
    await client.rpush(`${p}:w1`, element);
    await ward.toldAndMended({ codes: ["twice"] });
  });
  test("an unkeyed delivery in line and claimed", async () => {
    const [claim = ""] = (await client.hvals(`${p}:c:pod.1`)).filter((value) => value.endsWith("\0"));
    await client.rpush(`${p}:w2`, claim.split("\0")[1] ?? "");
    await ward.toldAndMended({ codes: ["twice"] });
  });
  test("an unkeyed delivery claimed by two", async () => {
    const [field = "", claim = ""] =
      Object.entries(await client.hgetall(`${p}:c:pod.1`)).find(([, value]) => value.endsWith("\0")) ?? [];
    await client.hset(`${p}:c:pod.2`, field, claim.replace(/^\d+/, "17"));
    await ward.toldAndMended({ codes: ["twice"] });
  });
  test("a delivery in line and due later", async () => {
    const element = (await client.lindex(`${p}:w1`, 0)) ?? "";
    await client.zadd(`${p}:d`, Date.now() + 1e5, `J${element}\0`);
    await ward.toldAndMended({ codes: ["twice"] });
  });
  test("a keyed delivery in its list and due later", async () => {
    await client.zadd(`${p}:d`, Date.now() + 1e5, `J${await ward.head("a")}\0a`);
    await ward.toldAndMended({ codes: ["twice"] });
  });
  test("a delivery twice in its key's list", async () => {
    await client.rpush(`${p}:k:a`, await ward.head("a"));
    await ward.toldAndMended({ codes: ["twice"] });
  });
  test("a delivery in the lists of two keys, of which one held nothing else", async () => {
    const element = await ward.head("a");
    await client.rpush(`${p}:k:stray`, element);
    await client.rpush(`${p}:r1`, "stray");
    await ward.toldAndMended({ codes: ["twice"], unordered: ["a"] });
  });
  test("a delivery in line that is a dead letter too", async () => {
    const [id = ""] = await client.zrange(`${p}:x`, "0", "0");
    await client.rpush(`${p}:w1`, `1:${id}:0:0:${ward.route}`);
    await ward.toldAndMended({ codes: ["twice"] });
  });

  test("in a line too long to search, what cannot be proved is told and left", { timeout: 60_000 }, async () => {
    // What is left of cancelled ones, so none of these is looked for.
    const fill =
      "for i = 1, 260 do local t = {} for j = 1, 1000 do t[j] = '1:' .. (ARGV[2] * 1e6 + i * 1000 + j) .. ':0:0:1' end redis.call(ARGV[1], KEYS[1], unpack(t)) end";
    const element = (await client.lindex(`${p}:w1`, 0)) ?? "";
    await client.eval(fill, 1, `${p}:w1`, "LPUSH", 1);
    await client.eval(fill, 1, `${p}:w1`, "RPUSH", 2);
    await client.rpush(`${p}:w1`, element);
    const length = await client.llen(`${p}:w1`);
    const { findings, isSound } = await ward.examine({ repair: true });
    expect(isSound).toBe(false);
    expect(new Set(findings.map(({ code }) => code))).toEqual(new Set(["too-deep"]));
    expect(await client.llen(`${p}:w1`)).toBe(length);
    await client.ltrim(`${p}:w1`, 250_000, -1);
    expect((await ward.examine({ repair: true })).isSound).toBe(true);
    expect(await client.llen(`${p}:w1`)).toBe(length - 250_001);
  });
});
