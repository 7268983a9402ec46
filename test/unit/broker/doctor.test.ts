// The doctor: each structure is corrupted on purpose beside a small busy queue; that is told, without a write, and mended, with
// nothing lost: everything runs once, each key in its order.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Claims } from "../../../services/broker/claims.ts";
import { examine, type Finding } from "../../../services/broker/doctor.ts";
import { encodeEnvelope, type EnvelopeHeader } from "../../../services/broker/delivery.ts";
import { editDelivery } from "../../../services/broker/jobs.ts";
import { setRouteLimits } from "../../../services/broker/limits.ts";
import { pause } from "../../../services/broker/pauses.ts";
import type { NewDelivery } from "../../../services/broker/producer.ts";
import { registerRoutes } from "../../../services/broker/routes.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { deliveryNumber, publicId } from "../../../services/runtime/ids.ts";
import { Bench, outcome, payloadOf, TAKE } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";

const LARGE = "x".repeat(5000);

eachServer((_name, url) => {
  let client: RedisClient;
  let bench: Bench;
  let worker: Claims;
  let other: Claims;
  let route: number;
  let p: string;
  let tag: string;
  /** Payloads that must run once, those of a key in this order. */
  let added: { text: string; key: string }[];

  beforeAll(() => {
    client = openRedis({ url: url(), name: "doctor", purpose: "commands", onState: () => {} });
  });
  afterAll(() => closeRedis(client));

  const add = async (text: string, more: Partial<NewDelivery> = {}): Promise<string> => {
    const { key, class: priority } = more;
    const header = {
      v: 1,
      kind: "job",
      route: "h.route",
      ...(key !== undefined && { key }),
      ...(priority !== undefined && { class: priority }),
    } as const satisfies EnvelopeHeader;
    added.push({ text, key: key ?? "" });
    const delivery = { route, envelope: encodeEnvelope(header, text), ...more };
    return (await bench.producer.enqueue("default", delivery)).id;
  };
  const numberOf = (id: string): string => deliveryNumber(id) ?? "";

  // A small queue in the middle of its work: claims, keys in line, keys that wait, delays, dead letters, large bodies.
  beforeEach(async () => {
    bench = new Bench(client);
    added = [];
    p = bench.context.keys.queue("default");
    tag = bench.context.keys.tag;
    route = (await registerRoutes(bench.context, ["h.route"])).get("h.route") ?? 0;
    [worker, other] = [await bench.worker("pod.1"), await bench.worker("pod.2")];
    await add("unkeyed claimed");
    for (const text of ["1", "2", "3"]) await add(`busy ${text}`, { key: "busy" });
    await worker.take({ ...TAKE, run: 2 });
    await add("will block", { key: "parked" });
    await add("behind it", { key: "parked" });
    await add("will die", { key: "mortal" });
    const runs = (await other.take({ ...TAKE, run: 1 })).runs.flat();
    const settle = (text: string, kind: "block" | "dead"): Promise<unknown> => {
      const claim = runs.find((one) => payloadOf(one) === text);
      if (claim === undefined) throw new Error(`${text} was not taken`);
      return other.settle([outcome(claim, kind, { delayMs: 60_000, error: "no" })]);
    };
    await settle("will block", "block");
    await settle("will die", "dead");
    for (const text of ["a1", "a2", LARGE, "a4"]) await add(text, { key: "a" });
    await add("low", { key: "low", class: 3 });
    for (const text of ["u1", "u2", `${LARGE}u`]) await add(text);
    await add("later", { delayMs: 60_000 });
    await add("later keyed", { delayMs: 60_000, key: "a" });
    expect((await examine(bench.context)).findings).toEqual([]);
  });

  /** Everything in the namespace, and whether it expires. (DUMP tells hashes in the order of their buckets, which changes.) */
  const dumpAll = async (): Promise<Map<string, unknown>> => {
    const keys = (await client.keys(`${tag.replace(/[{}]/g, "?")}:*`)).sort();
    const values = await Promise.all(
      keys.map(async (key) => [await contentOf(key, await client.type(key)), (await client.pttl(key)) === -1]),
    );
    return new Map(keys.map((key, index) => [key, values[index]]));
  };
  const contentOf = async (key: string, type: string): Promise<unknown> => {
    if (type === "hash") return client.hgetall(key);
    if (type === "set") return (await client.smembers(key)).sort();
    if (type === "zset") return client.zrange(key, "0", "-1", "WITHSCORES");
    return type === "list" ? client.lrange(key, 0, -1) : client.get(key);
  };

  /** Takes and finishes everything there is, in the order it comes. */
  const runEverything = async (): Promise<string[]> => {
    const last = await bench.worker("pod.last");
    const done: string[] = [];
    const claimed = await Promise.all([worker, other].map(async (claims) => ({ claims, held: await heldBy(claims) })));
    for (const { claims, held } of claimed) {
      const reply =
        held.length > 0 ? await claims.settle(held.map((claim) => outcome(claim, kindOf(claim)))) : undefined;
      for (const [index, claim] of held.entries()) if (reply?.settled[index] && claim.body) done.push(payloadOf(claim));
    }
    for (let idle = 0; idle < 3;) {
      bench.offsetMs += 61_000;
      await last.beat();
      const runs = (await last.take({ ...TAKE, slots: 50 })).runs.flat();
      idle = runs.length === 0 ? idle + 1 : 0;
      for (const claim of runs) {
        const body = claim.bodyToken === "" ? claim.body : await client.getBuffer(`${p}:b:${claim.bodyToken}`);
        const origin = await originOf(claim.id);
        const { settled } = await last.settle([outcome(claim, body ? "done" : "gone", { origin })]);
        if (settled[0] && body) done.push(payloadOf({ ...claim, body }));
      }
    }
    return done;
  };
  const originOf = async (number: string): Promise<string> => {
    const moved = Object.entries(await client.hgetall(`${p}:o`)).find(([, present]) => present === number);
    return moved?.[0] ?? publicId(number);
  };
  const kindOf = (claim: { body: Buffer | null }): "done" | "gone" => (claim.body ? "done" : "gone");
  const heldBy = (claims: Claims): ReturnType<Claims["held"]> => claims.held().catch(() => []);

  interface Expected {
    /** Codes of what is wrong, in any order. */
    readonly codes: readonly string[];
    /** What cannot run any more. */
    readonly lost?: readonly string[];
    /** Keys whose order could not be kept. */
    readonly unordered?: readonly string[];
    readonly harmless?: boolean;
  }

  /** Told without a write; mended; sound afterwards; everything runs once and in order. */
  const toldAndMended = async ({
    codes,
    lost = [],
    unordered = [],
    harmless = false,
  }: Expected): Promise<Finding[]> => {
    bench.offsetMs += 11_000; // nothing is too young to be told
    const before = await dumpAll();
    const told = await examine(bench.context);
    expect(told.findings.map(({ code }) => code).sort()).toEqual([...codes].sort());
    expect(told.isSound).toBe(harmless);
    expect(await dumpAll()).toEqual(before);
    const mended = await examine(bench.context, { repair: true });
    expect(mended.isSound).toBe(true);
    expect(mended.findings.length).toBeGreaterThan(0);
    expect((await examine(bench.context)).findings).toEqual([]);
    const dead = new Set(await client.zrange(`${p}:x`, "0", "-1"));
    const done = await runEverything();
    const due = added.filter(({ text }) => !lost.includes(text) && !(text === "will die" && dead.size > 0));
    expect([...done].sort()).toEqual(due.map(({ text }) => text).sort());
    for (const key of new Set(due.map((one) => one.key))) {
      if (key === "" || unordered.includes(key)) continue;
      const order = due.filter((one) => one.key === key).map(({ text }) => text);
      expect(done.filter((text) => order.includes(text))).toEqual(order);
    }
    expect((await examine(bench.context)).findings).toEqual([]);
    return mended.findings as Finding[];
  };

  const head = async (key: string): Promise<string> => (await client.lindex(`${p}:k:${key}`, 0)) ?? "";
  const elementOf = async (list: string, id: string): Promise<string> =>
    (await client.lrange(list, 0, -1)).find((element) => element.includes(numberOf(id))) ?? "";
  const idOf = (element: string): string => element.split(":")[1] ?? "";

  test("a key in no place is put in line", async () => {
    await client.lrem(`${p}:r1`, 0, "a");
    await toldAndMended({ codes: ["key-nowhere"] });
  });
  test("a key twice in line", async () => {
    await client.rpush(`${p}:r1`, "a");
    await toldAndMended({ codes: ["ring-twice"] });
  });
  test("a key in line of two classes", async () => {
    await client.rpush(`${p}:r2`, "a");
    await toldAndMended({ codes: ["ring-twice"] });
  });
  test("a key in line of the wrong class", async () => {
    await client.lrem(`${p}:r3`, 0, "low");
    await client.rpush(`${p}:r0`, "low");
    await toldAndMended({ codes: ["ring-class"] });
    expect(await client.lrange(`${p}:r0`, 0, -1)).toEqual([]);
  });
  test("a key without deliveries in line", async () => {
    await client.rpush(`${p}:r1`, "nothing");
    await toldAndMended({ codes: ["ring-none"] });
  });
  test("a key in line that a worker has", async () => {
    await client.rpush(`${p}:r1`, "busy");
    await toldAndMended({ codes: ["ring-claim"] });
  });
  test("a key in line that waits", async () => {
    await client.rpush(`${p}:r1`, "parked");
    await toldAndMended({ codes: ["ring-parked"] });
    expect(await client.lrange(`${p}:r1`, 0, -1)).not.toContain("parked");
  });
  test("a key that waits without deliveries", async () => {
    await client.zadd(`${p}:d`, Date.now() + 1e6, "Knothing");
    await toldAndMended({ codes: ["parked-none"] });
  });
  test("a key that waits while a worker has it", async () => {
    await client.zadd(`${p}:d`, Date.now() + 1e6, "Kbusy");
    await toldAndMended({ codes: ["parked-claim"] });
  });
  test("a key that should wait and does not", async () => {
    await client.zrem(`${p}:d`, "Kparked");
    await toldAndMended({ codes: ["key-nowhere"] });
  });

  test("a claim of what is not first", async () => {
    const second = (await client.lindex(`${p}:k:a`, 1)) ?? "";
    await client.hset(`${p}:c:pod.2`, idOf(second), `17\0${second}\0a`);
    await toldAndMended({ codes: ["claim-no-prefix"] });
  });
  test("a claim whose delivery its list lacks", async () => {
    await client.lpop(`${p}:k:busy`);
    await toldAndMended({ codes: ["claim-unlisted"] });
  });
  test("two workers with one key: who claimed it last keeps it", async () => {
    const element = await head("busy");
    await client.hset(`${p}:c:pod.2`, idOf(element), `17\0${element}\0busy`);
    await toldAndMended({ codes: ["claim-second"] });
  });
  test("a claim that cannot be read", async () => {
    await client.hset(`${p}:c:pod.2`, "12", "nonsense");
    await toldAndMended({ codes: ["claim-unreadable"] });
  });
  test("claims of a worker that is not registered go back", async () => {
    await client.zrem(`${p}:wk`, "pod.1");
    const findings = await toldAndMended({ codes: ["claims-unregistered", "info-unregistered"] });
    expect(findings.map(({ about }) => about)).toEqual(["pod.1", "pod.1"]);
  });
  test("claims of an unknown worker go back, uncounted", async () => {
    await client.rename(`${p}:c:pod.1`, `${p}:c:pod.9`);
    const element = await head("busy");
    bench.offsetMs += 11_000;
    expect((await examine(bench.context, { repair: true })).isSound).toBe(true);
    expect(await head("busy")).toBe(element);
    expect(await client.lrange(`${p}:r1`, 0, -1)).toContain("busy");
  });
  test("a worker that is described and not registered", async () => {
    await client.hset(`${p}:wi`, "pod.9", "17 pod");
    await toldAndMended({ codes: ["info-unregistered"] });
  });
  test("a worker that is registered and not described", async () => {
    await client.hdel(`${p}:wi`, "pod.1");
    await toldAndMended({ codes: ["worker-unnamed"] });
  });
  test("a worker whose claims never run out", async () => {
    await client.zadd(`${p}:wk`, "XX", Date.now() + 1e9, "pod.1");
    await toldAndMended({ codes: ["worker-immortal"] });
  });

  test("an unkeyed delivery twice in line", async () => {
    const element = (await client.lindex(`${p}:w1`, 0)) ?? "";
    await client.rpush(`${p}:w1`, element);
    await toldAndMended({ codes: ["twice"] });
  });
  test("an unkeyed delivery in line and claimed", async () => {
    const [claim = ""] = (await client.hvals(`${p}:c:pod.1`)).filter((value) => value.endsWith("\0"));
    await client.rpush(`${p}:w2`, claim.split("\0")[1] ?? "");
    await toldAndMended({ codes: ["twice"] });
  });
  test("an unkeyed delivery claimed by two", async () => {
    const [field = "", claim = ""] =
      Object.entries(await client.hgetall(`${p}:c:pod.1`)).find(([, value]) => value.endsWith("\0")) ?? [];
    await client.hset(`${p}:c:pod.2`, field, claim.replace(/^\d+/, "17"));
    await toldAndMended({ codes: ["twice"] });
  });
  test("a delivery in line and due later", async () => {
    const element = (await client.lindex(`${p}:w1`, 0)) ?? "";
    await client.zadd(`${p}:d`, Date.now() + 1e5, `J${element}\0`);
    await toldAndMended({ codes: ["twice"] });
  });
  test("a keyed delivery in its list and due later", async () => {
    await client.zadd(`${p}:d`, Date.now() + 1e5, `J${await head("a")}\0a`);
    await toldAndMended({ codes: ["twice"] });
  });
  test("a delivery twice in its key's list", async () => {
    await client.rpush(`${p}:k:a`, await head("a"));
    await toldAndMended({ codes: ["twice"] });
  });
  test("a delivery in the lists of two keys, of which one held nothing else", async () => {
    const element = await head("a");
    await client.rpush(`${p}:k:stray`, element);
    await client.rpush(`${p}:r1`, "stray");
    await toldAndMended({ codes: ["twice"], unordered: ["a"] });
  });
  test("a delivery in line that is a dead letter too", async () => {
    const [id = ""] = await client.zrange(`${p}:x`, "0", "0");
    await client.rpush(`${p}:w1`, `1:${id}:0:0:${route}`);
    await toldAndMended({ codes: ["twice"] });
  });

  test("a body that is nowhere, unkeyed", async () => {
    const id = await add("astray");
    await client.lrem(`${p}:w1`, 0, await elementOf(`${p}:w1`, id));
    const [finding] = await toldAndMended({ codes: ["body-nowhere"] });
    expect(finding).toMatchObject({ about: id, queue: "default", mended: true });
  });
  test("a body that is nowhere, with its key, class and a large body", async () => {
    const id = await add(`${LARGE} astray`, { key: "low", class: 3 });
    await client.lrem(`${p}:k:low`, 0, await elementOf(`${p}:k:low`, id));
    bench.offsetMs += 11_000;
    await examine(bench.context, { repair: true });
    expect((await client.lrange(`${p}:k:low`, 0, -1)).map((element) => element[0])).toEqual(["3", "3"]);
    await client.hdel(`${p}:o`, id);
    await toldAndMended({ codes: ["origin-unlisted"] });
  });
  test("a body that is younger is left alone", async () => {
    const id = await add("under way");
    await client.lrem(`${p}:w1`, 0, await elementOf(`${p}:w1`, id));
    expect((await examine(bench.context)).findings).toEqual([]);
  });
  test("a delayed delivery whose entry went", async () => {
    const id = await add("astray", { delayMs: 5000 });
    await client.zrem(`${p}:d`, `J1:${numberOf(id)}:0:0:${route}\0`);
    await toldAndMended({ codes: ["body-nowhere"] });
  });
  test("a large body that is lost: its delivery is forgotten, and what waits for it goes on", async () => {
    const id = await add(`${LARGE} lost`);
    await add("after it", { after: [id] });
    const stored = (await client.hget(`${p}:j`, numberOf(id))) ?? "";
    await client.del(`${p}:b:${stored.slice(1)}`);
    await toldAndMended({ codes: ["body-gone"], lost: [`${LARGE} lost`] });
  });
  test("a large body that would expire", async () => {
    const id = await add(`${LARGE} fading`);
    const stored = (await client.hget(`${p}:j`, numberOf(id))) ?? "";
    await client.expire(`${p}:b:${stored.slice(1)}`, 1000);
    await toldAndMended({ codes: ["body-expires"] });
  });
  test("a large body of nothing", async () => {
    await client.set(`${p}:b:abc:5000`, LARGE);
    await toldAndMended({ codes: ["body-of-nothing"] });
    expect(await client.exists(`${p}:b:abc:5000`)).toBe(0);
  });
  test("a wrong figure of bytes", async () => {
    const before = await client.hget(`${p}:m`, "bodyBytes");
    await client.hincrby(`${p}:m`, "bodyBytes", 77);
    bench.offsetMs += 11_000;
    expect((await examine(bench.context)).findings.map(({ code }) => code)).toEqual(["bytes-wrong"]);
    await examine(bench.context, { repair: true });
    expect(await client.hget(`${p}:m`, "bodyBytes")).toBe(before);
  });
  test("a wrong figure of bytes of many bodies", async () => {
    for (let batch = 0; batch < 3; batch++)
      await Promise.all(Array.from({ length: 400 }, (_, index) => add(`many ${batch} ${index}`)));
    const before = await client.hget(`${p}:m`, "bodyBytes");
    await client.hset(`${p}:m`, "bodyBytes", 0);
    expect((await examine(bench.context, { repair: true })).findings.map(({ code }) => code)).toEqual(["bytes-wrong"]);
    expect(await client.hget(`${p}:m`, "bodyBytes")).toBe(before);
  });
  test("a grace that does not end", async () => {
    await client.hset(`${p}:m`, "graceUntil", Date.now() + 1e9);
    await toldAndMended({ codes: ["grace-for-ever"] });
  });

  test("a dead letter without body", async () => {
    const [id = ""] = await client.zrange(`${p}:x`, "0", "0");
    await client.hdel(`${p}:j`, id);
    await toldAndMended({ codes: ["letter-bodiless", "memory-of-nothing"], lost: ["will die"] });
  });
  test("a dead letter that is not listed", async () => {
    await client.del(`${p}:x`);
    await toldAndMended({ codes: ["letter-unlisted"] });
    expect(await client.zcard(`${p}:x`)).toBe(1);
  });
  test("a dead letter without description", async () => {
    const [id = ""] = await client.zrange(`${p}:x`, "0", "0");
    await client.del(`${p}:xe`);
    await toldAndMended({ codes: ["letter-unnamed"] });
    const letter = `1:${id}:0:0:${route}\0what it had failed of is lost\0mortal`;
    expect(await client.hget(`${p}:xe`, id)).toBe(letter);
  });
  test("the description of a dead letter that is in line", async () => {
    const element = (await client.lindex(`${p}:w1`, 0)) ?? "";
    await client.hset(`${p}:xe`, idOf(element), `${element}\0no\0`);
    await toldAndMended({ codes: ["letter-alive"] });
  });

  test("an origin that goes on as nothing, with its memory", async () => {
    await client.hset(`${p}:o`, "abc", "4711");
    await client.hset(`${p}:e:abc`, "step", "1");
    await toldAndMended({ codes: ["origin-of-nothing", "memory-of-nothing"] });
    expect(await client.exists(`${p}:e:abc`, `${p}:o`)).toBe(0);
  });
  test("a memory of nothing", async () => {
    await client.hset(`${p}:e:abc`, "step", "1");
    await toldAndMended({ codes: ["memory-of-nothing"] });
  });
  test("a memory that would not be forgotten, and one that is none", async () => {
    const [id = ""] = await client.smembers(`${p}:em`);
    await client.srem(`${p}:em`, id);
    await client.sadd(`${p}:em`, "abc");
    await toldAndMended({ codes: ["memory-unlisted", "memory-empty"] });
  });
  test("a history that cannot be read, and one that is counted wrongly", async () => {
    const [claim] = await worker.held();
    if (claim === undefined) throw new Error("nothing is claimed");
    await worker.settle([outcome(claim, "done", { history: "a line" })]);
    added = added.filter(({ text }) => text !== payloadOf(claim));
    const before = await client.lrange(`${p}:h`, 0, -1);
    expect(before).toHaveLength(2);
    await client.rpush(`${p}:h`, "nonsense");
    bench.offsetMs += 11_000;
    expect((await examine(bench.context)).findings.map(({ code }) => code)).toEqual(["history-torn"]);
    await examine(bench.context, { repair: true });
    expect(await client.lrange(`${p}:h`, 0, -1)).toEqual(before);
    await client.hset(`${p}:m`, "history", 9);
    await toldAndMended({ codes: ["history-torn"] });
    expect(await client.hget(`${p}:m`, "history")).toBe("1");
  });
  test.each(["small", LARGE])(
    "what goes on under another number is found again by its origin, and its memory stays",
    async (text) => {
      const id = await add(text === LARGE ? `${LARGE} moved` : "moved");
      await editDelivery(bench.context, id, { delayMs: 1000 });
      await client.hset(`${p}:e:${id}`, "step", "1");
      await client.sadd(`${p}:em`, id);
      const present = await client.hget(`${p}:o`, id);
      await client.hdel(`${p}:o`, id);
      bench.offsetMs += 11_000;
      expect((await examine(bench.context)).findings.map(({ code }) => code)).toEqual(["origin-unlisted"]);
      await examine(bench.context, { repair: true });
      expect(await client.hget(`${p}:o`, id)).toBe(present);
      expect(await client.exists(`${p}:e:${id}`)).toBe(1);
      expect(await runEverything()).toHaveLength(added.length - 1);
    },
  );

  test("a delivery that waits for what has ended", async () => {
    const id = await add("held", { after: [await add("first", { delayMs: 1000 })] });
    await client.sadd(`${tag}:a:${numberOf(id)}`, "abc");
    await toldAndMended({ codes: ["held-for-ended"] });
  });
  test("a delivery that waits for nothing", async () => {
    const id = await add("held", { after: [await add("first", { delayMs: 1000 })] });
    await client.del(`${tag}:a:${numberOf(id)}`, `${tag}:after`);
    await toldAndMended({ codes: ["held-for-nothing"] });
  });
  test("a delivery that would not hear of the end of what it waits for", async () => {
    await add("held", { after: [await add("first", { delayMs: 1000 })] });
    await client.del(`${tag}:after`);
    await toldAndMended({ codes: ["held-unlisted"] });
  });
  test("a delivery that waits for others and has no place", async () => {
    const id = await add("held", { after: [await add("first", { delayMs: 1000 })] });
    await client.zrem(`${p}:d`, `J1:${numberOf(id)}:0:0:${route}\0`);
    await toldAndMended({ codes: ["held-nowhere"] });
  });
  test("a delivery that waits for others and is in line as well stays where it waits", async () => {
    const id = await add("held", { after: [await add("first", { delayMs: 1000 })] });
    await client.rpush(`${p}:w1`, `1:${numberOf(id)}:0:0:${route}`);
    await toldAndMended({ codes: ["twice"] });
  });
  test("what is said to wait for others and does not", async () => {
    const id = await add("held", { after: [await add("first", { delayMs: 1000 })] });
    await client.hdel(`${tag}:held`, numberOf(id));
    await toldAndMended({ codes: ["waits-unheld", "stuck"] });
  });
  test("the end of something was not told", async () => {
    await client.hset(`${tag}:after`, "abc", "4711");
    await toldAndMended({ codes: ["ended-untold"] });
    expect(await client.exists(`${tag}:after`)).toBe(0);
  });
  test("a key and a delivery that nothing holds back", async () => {
    const id = await add("held back");
    await client.lrem(`${p}:w1`, 0, await elementOf(`${p}:w1`, id));
    await client.zadd(`${p}:d`, "inf", "Kparked", "inf", `J1:${numberOf(id)}:0:0:${route}\0`);
    await toldAndMended({ codes: ["stuck", "stuck"] });
  });
  test("what a pause holds back is left alone", async () => {
    await pause(bench.context, "default", { kind: "key", key: "a" });
    await pause(bench.context, "default", { kind: "route", route });
    await other.take(TAKE);
    expect(await client.zcount(`${p}:d`, "inf", "inf")).toBeGreaterThan(3);
    expect((await examine(bench.context)).findings).toEqual([]);
  });

  test.each(["w1", "k:a", "d"])("what cannot be read in %s", async (place) => {
    if (place === "d") await client.zadd(`${p}:d`, 5, "nonsense", 6, "Jnonsense\0a", 7, "K");
    else await client.rpush(`${p}:${place}`, "nonsense");
    await toldAndMended({ codes: place === "d" ? ["unreadable", "unreadable", "unreadable"] : ["unreadable"] });
  });
  test("what cannot be read at the head of a key", async () => {
    await client.lpush(`${p}:k:a`, "nonsense");
    await toldAndMended({ codes: ["unreadable"] });
  });
  test("a limit that cannot be read", async () => {
    await client.hset(`${tag}:limits`, "r9", "nonsense");
    await toldAndMended({ codes: ["limit-unreadable"] });
  });
  test("what is counted as running and is not", async () => {
    await setRouteLimits(bench.context, new Map([[9, { concurrency: 3 }]]));
    await client.sadd(`${tag}:l:r9`, `${p}\0pod.1\x004711`);
    await toldAndMended({ codes: ["running-unclaimed"], harmless: true });
  });
  test("the bell of a worker that is gone", async () => {
    await client.sadd(`${p}:i`, bench.context.keys.bell(p, "pod.9"));
    await toldAndMended({ codes: ["bell-of-nobody"], harmless: true });
  });
  test("a queue that is not in the set of queues", async () => {
    await client.srem(`${tag}:queues`, "default");
    await toldAndMended({ codes: ["queue-unknown"] });
  });
  test("a schedule without definition", async () => {
    await client.zadd(`${p}:s`, 5, "h.gone");
    await toldAndMended({ codes: ["schedule-undefined"] });
  });
  test("what should expire", async () => {
    await client.set(`${p}:u:abc`, "5");
    await client.hset(`${p}:pr:abc`, "5", "5");
    await toldAndMended({ codes: ["never-expires", "never-expires"] });
  });
});
