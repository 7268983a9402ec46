// The doctor on what is stored: bodies, dead letters, origins, who waits for whom, and everything else. As in doctor.test.ts.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { encodeEnvelope } from "../../../services/broker/delivery.ts";
import { editDelivery } from "../../../services/broker/jobs.ts";
import { setRouteLimits } from "../../../services/broker/limits.ts";
import { OutboxClaims } from "../../../services/broker/outbox.ts";
import { pause } from "../../../services/broker/pauses.ts";
import type { NewDelivery } from "../../../services/broker/producer.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import type { Bench } from "../../support/broker.ts";
import { outcome, payloadOf, TAKE } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";
import { idOf, LARGE, numberOf, Ward } from "../../support/ward.ts";

eachServer((_name, url) => {
  let client: RedisClient;
  let ward: Ward;
  let bench: Bench;
  let p: string;
  let tag: string;
  let route: number;

  beforeAll(() => {
    client = openRedis({ url: url(), name: "doctor", purpose: "commands", onState: () => {} });
  });
  afterAll(() => closeRedis(client));
  beforeEach(async () => {
    ward = new Ward(client);
    ({ bench, prefix: p } = ward);
    await ward.prepare();
    ({ route, tag } = ward);
  });

  test("a body that is nowhere, unkeyed", async () => {
    const id = await ward.add("astray");
    await client.lrem(`${p}:w1`, 0, await ward.elementOf(`${p}:w1`, id));
    const [finding] = await ward.toldAndMended({ codes: ["body-nowhere"] });
    expect(finding).toMatchObject({ about: id, queue: "default", mended: true });
  });
  test("a body that is nowhere, with its key, class and a large body", async () => {
    const id = await ward.add(`${LARGE} astray`, { key: "low", class: 3 });
    await client.lrem(`${p}:k:low`, 0, await ward.elementOf(`${p}:k:low`, id));
    bench.offsetMs += 11_000;
    await ward.examine({ repair: true });
    expect((await client.lrange(`${p}:k:low`, 0, -1)).map((element) => element[0])).toEqual(["3", "3"]);
    await client.hdel(`${p}:o`, id);
    await ward.toldAndMended({ codes: ["origin-unlisted"] });
  });
  test("a body that is younger is left alone", async () => {
    const id = await ward.add("under way");
    await client.lrem(`${p}:w1`, 0, await ward.elementOf(`${p}:w1`, id));
    expect((await ward.examine()).findings).toEqual([]);
  });
  test("a delayed delivery whose entry went", async () => {
    const id = await ward.add("astray", { delayMs: 5000 });
    await client.zrem(`${p}:d`, `J1:${numberOf(id)}:0:0:${route}\0`);
    await ward.toldAndMended({ codes: ["body-nowhere"] });
  });
  test("a large body that is lost: its delivery is forgotten, and what waits for it goes on", async () => {
    const id = await ward.add(`${LARGE} lost`);
    await ward.add("after it", { after: [id] });
    const stored = (await client.hget(`${p}:j`, numberOf(id))) ?? "";
    await client.del(`${p}:b:${stored.slice(1)}`);
    await ward.toldAndMended({ codes: ["body-gone"], lost: [`${LARGE} lost`] });
  });
  test("a large body that would expire", async () => {
    const id = await ward.add(`${LARGE} fading`);
    const stored = (await client.hget(`${p}:j`, numberOf(id))) ?? "";
    await client.expire(`${p}:b:${stored.slice(1)}`, 1000);
    await ward.toldAndMended({ codes: ["body-expires"] });
  });
  test("a large body of nothing", async () => {
    await client.set(`${p}:b:abc:5000`, LARGE);
    await ward.toldAndMended({ codes: ["body-of-nothing"] });
    expect(await client.exists(`${p}:b:abc:5000`)).toBe(0);
  });
  test("a wrong figure of bytes", async () => {
    const before = await client.hget(`${p}:m`, "bodyBytes");
    await client.hincrby(`${p}:m`, "bodyBytes", 77);
    bench.offsetMs += 11_000;
    expect((await ward.examine()).findings.map(({ code }) => code)).toEqual(["bytes-wrong"]);
    await ward.examine({ repair: true });
    expect(await client.hget(`${p}:m`, "bodyBytes")).toBe(before);
  });
  test("a wrong figure of bytes of many bodies", async () => {
    for (let batch = 0; batch < 3; batch++)
      await Promise.all(Array.from({ length: 400 }, (_, index) => ward.add(`many ${batch} ${index}`)));
    const before = await client.hget(`${p}:m`, "bodyBytes");
    await client.hset(`${p}:m`, "bodyBytes", 0);
    expect((await ward.examine({ repair: true })).findings.map(({ code }) => code)).toEqual(["bytes-wrong"]);
    expect(await client.hget(`${p}:m`, "bodyBytes")).toBe(before);
  });
  test("a grace that does not end", async () => {
    await client.hset(`${p}:m`, "graceUntil", Date.now() + 1e9);
    await ward.toldAndMended({ codes: ["grace-for-ever"] });
  });

  test("a dead letter without body", async () => {
    const [id = ""] = await client.zrange(`${p}:x`, "0", "0");
    await client.hdel(`${p}:j`, id);
    await ward.toldAndMended({ codes: ["letter-bodiless", "memory-of-nothing"], lost: ["will die"] });
  });
  test("a dead letter that is not listed", async () => {
    await client.del(`${p}:x`);
    await ward.toldAndMended({ codes: ["letter-unlisted"] });
    expect(await client.zcard(`${p}:x`)).toBe(1);
  });
  test("a dead letter without description", async () => {
    const [id = ""] = await client.zrange(`${p}:x`, "0", "0");
    await client.del(`${p}:xe`);
    await ward.toldAndMended({ codes: ["letter-unnamed"] });
    const letter = `1:${id}:0:0:${route}\0what it had failed of is lost\0mortal`;
    expect(await client.hget(`${p}:xe`, id)).toBe(letter);
  });
  test("the description of a dead letter that is in line", async () => {
    const element = (await client.lindex(`${p}:w1`, 0)) ?? "";
    await client.hset(`${p}:xe`, idOf(element), `${element}\0no\0`);
    await ward.toldAndMended({ codes: ["letter-alive"] });
  });

  test("an origin that goes on as nothing, with its memory", async () => {
    await client.hset(`${p}:o`, "abc", "4711");
    await client.hset(`${p}:e:abc`, "step", "1");
    await ward.toldAndMended({ codes: ["origin-of-nothing", "memory-of-nothing"] });
    expect(await client.exists(`${p}:e:abc`, `${p}:o`)).toBe(0);
  });
  test("a memory of nothing", async () => {
    await client.hset(`${p}:e:abc`, "step", "1");
    await ward.toldAndMended({ codes: ["memory-of-nothing"] });
  });
  test("a memory that would not be forgotten, and one that is none", async () => {
    const [id = ""] = await client.smembers(`${p}:em`);
    await client.srem(`${p}:em`, id);
    await client.sadd(`${p}:em`, "abc");
    await ward.toldAndMended({ codes: ["memory-unlisted", "memory-empty"] });
  });
  test("a Message that is nowhere comes back under its key", async () => {
    const key = "web:lobby\nweb:ann";
    const envelope = encodeEnvelope({ v: 1, kind: "message", key }, "{}");
    await bench.producer.enqueueAll(
      "chat",
      [0, 1].map(() => ({ route: 0, envelope, key })),
    );
    const chat = bench.context.keys.queue("chat");
    await client.rpop(`${chat}:k:${key}`);
    bench.offsetMs += 11_000;
    expect((await ward.examine({ repair: true })).findings.map(({ code }) => code)).toEqual(["body-nowhere"]);
    expect(await client.llen(`${chat}:k:${key}`)).toBe(2);
    expect((await ward.examine()).findings).toEqual([]);
  });
  test("what is in no line and cannot be read is told, and left", async () => {
    await client.hset(`${p}:j`, "4711", "nonsense");
    const { findings, isSound } = await ward.examine({ repair: true });
    expect(isSound).toBe(false);
    expect(findings).toMatchObject([{ code: "body-unknown", mended: false }]);
    expect(await client.hget(`${p}:j`, "4711")).toBe("nonsense");
  });
  test("Actions: nowhere, claimed by nobody, in doubt and no more", async () => {
    const outbox = new OutboxClaims({ ...bench.context, unit: "irc/net", epoch: "5" });
    await client.set(bench.context.keys.epoch("irc/net"), "5");
    await outbox.recover();
    const o = bench.context.keys.outbox("irc/net");
    const action = (room: string): NewDelivery => ({
      route: 0,
      envelope: Buffer.from(JSON.stringify({ id: "a", room })),
      key: room,
    });
    await bench.producer.enqueueAll("outbox/irc/net", [action("r1"), action("r2"), action("r2")]);
    expect((await outbox.take({ slots: 1, run: 1, order: "0123" })).runs).toHaveLength(1);
    await client.zrem(`${o}:wk`, "irc/net:5");
    await client.rpop(`${o}:k:r2`);
    await client.hset(`${o}:doubt`, "4711", "5");
    bench.offsetMs += 11_000;
    const told = (await ward.examine()).findings.map(({ code }) => code).sort();
    expect(told).toEqual(["body-nowhere", "claims-unregistered", "doubt-of-nothing"]);
    expect((await ward.examine({ repair: true })).isSound).toBe(true);
    expect(await client.llen(`${o}:k:r2`)).toBe(2);
    await client.set(bench.context.keys.epoch("irc/net"), "6");
    const next = new OutboxClaims({ ...bench.context, unit: "irc/net", epoch: "6" });
    const doubtful = await next.recover();
    const { runs } = await next.take({ slots: 9, run: 4, order: "0123" });
    expect(runs.map((run) => run.length).sort()).toEqual([1, 2]);
    expect([...doubtful.keys()]).toEqual(runs.filter((run) => run.length === 1).map((run) => run[0]?.id));
    expect((await ward.examine()).findings).toEqual([]);
  });
  test("a history that cannot be read, and one that is counted wrongly", async () => {
    const [claim] = await ward.worker.held();
    if (claim === undefined) throw new Error("nothing is claimed");
    await ward.worker.settle([outcome(claim, "done", { history: "a line" })]);
    ward.added = ward.added.filter(({ text }) => text !== payloadOf(claim));
    const before = await client.lrange(`${p}:h`, 0, -1);
    expect(before).toHaveLength(2);
    await client.rpush(`${p}:h`, "nonsense");
    bench.offsetMs += 11_000;
    expect((await ward.examine()).findings.map(({ code }) => code)).toEqual(["history-torn"]);
    await ward.examine({ repair: true });
    expect(await client.lrange(`${p}:h`, 0, -1)).toEqual(before);
    await client.hset(`${p}:m`, "history", 9);
    await ward.toldAndMended({ codes: ["history-torn"] });
    expect(await client.hget(`${p}:m`, "history")).toBe("1");
  });
  test.each(["small", LARGE])(
    "what goes on under another number is found again by its origin, and its memory stays",
    async (text) => {
      const id = await ward.add(text === LARGE ? `${LARGE} moved` : "moved");
      await editDelivery(bench.context, id, { delayMs: 1000 });
      await client.hset(`${p}:e:${id}`, "step", "1");
      await client.sadd(`${p}:em`, id);
      const present = await client.hget(`${p}:o`, id);
      await client.hdel(`${p}:o`, id);
      bench.offsetMs += 11_000;
      expect((await ward.examine()).findings.map(({ code }) => code)).toEqual(["origin-unlisted"]);
      await ward.examine({ repair: true });
      expect(await client.hget(`${p}:o`, id)).toBe(present);
      expect(await client.exists(`${p}:e:${id}`)).toBe(1);
      expect(await ward.runEverything()).toHaveLength(ward.added.length - 1);
    },
  );

  test("a delivery that waits for what has ended", async () => {
    const id = await ward.add("held", { after: [await ward.add("first", { delayMs: 1000 })] });
    await client.sadd(`${tag}:a:${numberOf(id)}`, "abc");
    await ward.toldAndMended({ codes: ["held-for-ended"] });
  });
  test("a delivery that waits for nothing", async () => {
    const id = await ward.add("held", { after: [await ward.add("first", { delayMs: 1000 })] });
    await client.del(`${tag}:a:${numberOf(id)}`, `${tag}:after`);
    await ward.toldAndMended({ codes: ["held-for-nothing"] });
  });
  test("a delivery that would not hear of the end of what it waits for", async () => {
    await ward.add("held", { after: [await ward.add("first", { delayMs: 1000 })] });
    await client.del(`${tag}:after`);
    await ward.toldAndMended({ codes: ["held-unlisted"] });
  });
  test("a delivery that waits for others and has no place", async () => {
    const id = await ward.add("held", { after: [await ward.add("first", { delayMs: 1000 })] });
    await client.zrem(`${p}:d`, `J1:${numberOf(id)}:0:0:${route}\0`);
    await ward.toldAndMended({ codes: ["held-nowhere"] });
  });
  test("a delivery that waits for others and is in line as well stays where it waits", async () => {
    const id = await ward.add("held", { after: [await ward.add("first", { delayMs: 1000 })] });
    await client.rpush(`${p}:w1`, `1:${numberOf(id)}:0:0:${route}`);
    await ward.toldAndMended({ codes: ["twice"] });
  });
  test("what is said to wait for others and does not", async () => {
    const id = await ward.add("held", { after: [await ward.add("first", { delayMs: 1000 })] });
    await client.hdel(`${tag}:held`, numberOf(id));
    await ward.toldAndMended({ codes: ["waits-unheld", "stuck"] });
  });
  test("the end of something was not told", async () => {
    await client.hset(`${tag}:after`, "abc", "4711");
    await ward.toldAndMended({ codes: ["ended-untold"] });
    expect(await client.exists(`${tag}:after`)).toBe(0);
  });
  test("a key and a delivery that nothing holds back", async () => {
    const id = await ward.add("held back");
    await client.lrem(`${p}:w1`, 0, await ward.elementOf(`${p}:w1`, id));
    await client.zadd(`${p}:d`, "inf", "Kparked", "inf", `J1:${numberOf(id)}:0:0:${route}\0`);
    await ward.toldAndMended({ codes: ["stuck", "stuck"] });
  });
  test("what a pause holds back is left alone", async () => {
    await pause(bench.context, "default", { kind: "key", key: "a" });
    await pause(bench.context, "default", { kind: "route", route });
    await ward.other.take(TAKE);
    expect(await client.zcount(`${p}:d`, "inf", "inf")).toBeGreaterThan(3);
    expect((await ward.examine()).findings).toEqual([]);
  });

  test.each(["w1", "k:a", "d"])("what cannot be read in %s", async (place) => {
    if (place === "d") await client.zadd(`${p}:d`, 5, "nonsense", 6, "Jnonsense\0a", 7, "K");
    else await client.rpush(`${p}:${place}`, "nonsense");
    await ward.toldAndMended({ codes: place === "d" ? ["unreadable", "unreadable", "unreadable"] : ["unreadable"] });
  });
  test("what cannot be read at the head of a key", async () => {
    await client.lpush(`${p}:k:a`, "nonsense");
    await ward.toldAndMended({ codes: ["unreadable"] });
  });
  test("a limit that cannot be read", async () => {
    await client.hset(`${tag}:limits`, "r9", "nonsense");
    await ward.toldAndMended({ codes: ["limit-unreadable"] });
  });
  test("what is counted as running and is not", async () => {
    await setRouteLimits(bench.context, new Map([[9, { concurrency: 3 }]]));
    await client.sadd(`${tag}:l:r9`, `${p}\0pod.1\x004711`);
    await ward.toldAndMended({ codes: ["running-unclaimed"], harmless: true });
  });
  test("the bell of a worker that is gone", async () => {
    await client.sadd(`${p}:i`, bench.context.keys.bell(p, "pod.9"));
    await ward.toldAndMended({ codes: ["bell-of-nobody"], harmless: true });
  });
  test("a queue that is not in the set of queues", async () => {
    await client.srem(`${tag}:queues`, "default");
    await ward.toldAndMended({ codes: ["queue-unknown"] });
  });
  test("a schedule without definition", async () => {
    await client.zadd(`${p}:s`, 5, "h.gone");
    await ward.toldAndMended({ codes: ["schedule-undefined"] });
  });
  test("what should expire", async () => {
    await client.set(`${p}:u:abc`, "5");
    await client.hset(`${p}:pr:abc`, "5", "5");
    await ward.toldAndMended({ codes: ["never-expires", "never-expires"] });
  });
});
