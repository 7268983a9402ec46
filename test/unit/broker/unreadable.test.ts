// Something else wrote into the lines of a queue: what cannot be read is put by and told, and stops and loses nothing.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Claims } from "../../../services/broker/claims.ts";
import { decodeEnvelope, encodeEnvelope } from "../../../services/broker/delivery.ts";
import { examine } from "../../../services/broker/doctor.ts";
import { setRouteLimits } from "../../../services/broker/limits.ts";
import { registerRoutes } from "../../../services/broker/routes.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { deliveryNumber, publicId } from "../../../services/runtime/ids.ts";
import { Bench, outcome, payloadOf, TAKE } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";

const BROKEN = ["", "x", "nonsense", "1:", "9:12:0:0:1", "1:77:0:0:", "1:a:b:c:d", "1\0:2", "{}"];

eachServer((_name, url) => {
  let client: RedisClient;
  let bench: Bench;
  let worker: Claims;
  let p: string;
  let route: number;
  beforeAll(() => {
    client = openRedis({ url: url(), name: "unreadable", purpose: "commands", onState: () => {} });
  });
  afterAll(() => closeRedis(client));
  beforeEach(async () => {
    bench = new Bench(client);
    worker = await bench.worker("w.1");
    p = bench.context.keys.queue("default");
    route = (await registerRoutes(bench.context, ["h.one"])).get("h.one") ?? 0;
  });

  const add = (text: string, key?: string) => {
    const keyed = key === undefined ? {} : { key };
    const envelope = encodeEnvelope({ v: 1, kind: "job", route: "h.one", ...keyed }, text);
    return bench.producer.enqueue("default", { route, envelope, ...keyed });
  };

  /** Takes and settles until nothing is left to take. */
  async function drain(): Promise<string[]> {
    const all: string[] = [];
    for (let round = 0; round < 50; round++) {
      const claims = (await worker.take(TAKE)).runs.flat();
      all.push(...claims.map((claim) => (claim.body === null ? "no body" : payloadOf(claim))));
      await worker.settle(
        claims.map((claim) => {
          const { origin = publicId(claim.id) } = claim.body === null ? {} : decodeEnvelope(claim.body).header;
          return outcome(claim, claim.body === null ? "gone" : "done", { origin });
        }),
      );
    }
    return all.toSorted();
  }

  const findings = async (repair: boolean): Promise<string[]> =>
    (await examine(bench.context, { repair })).findings.map(({ code }) => code);

  test.each([false, true])("in each line: every delivery is taken, nothing else; with limits: %s", async (limited) => {
    if (limited) await setRouteLimits(bench.context, new Map([[route, { concurrency: 100 }]]));
    const names: string[] = [];
    for (const [index, broken] of BROKEN.entries()) {
      await client.rpush(`${p}:w1`, broken);
      await client.zadd(`${p}:d`, 1, index % 2 === 0 ? broken : `J${broken}`);
      const key = `k${index % 3}`;
      for (const text of [`a${index}`, `b${index}`]) {
        names.push(text, `unkeyed ${text}`);
        await add(`unkeyed ${text}`);
        await add(text, key);
        await client.rpush(`${p}:k:${key}`, broken);
      }
    }
    await client.lpush(`${p}:k:k0`, "first");
    expect(await drain()).toEqual(names.toSorted());
    expect((await worker.beat()).unreadable).toBe(4 * BROKEN.length + 1);
    expect(await client.exists(`${p}:w1`, `${p}:k:k0`, `${p}:k:k1`, `${p}:k:k2`, `${p}:d`)).toBe(0);
    expect(new Set(await findings(false))).toEqual(new Set(["put-by"]));
    await findings(true);
    expect(await findings(false)).toEqual([]);
    expect((await worker.beat()).unreadable).toBe(0);
  });

  test("the delivery that it stood for is put in line by the doctor", async () => {
    for (const [text, key] of [["one"], ["two", "k"], ["three", "k"]] as const) await add(text, key);
    await client.lset(`${p}:w1`, 0, "broken");
    await client.lset(`${p}:k:k`, 0, "broken");
    expect(await drain()).toEqual(["three"]);
    bench.offsetMs += 11_000;
    expect((await findings(true)).toSorted()).toEqual(["body-nowhere", "body-nowhere", "put-by", "put-by"]);
    expect(await drain()).toEqual(["one", "two"]);
    expect(await findings(false)).toEqual([]);
  });

  test("what can be read in part is run as if it had never failed, and is whole again when it is retried", async () => {
    const { id } = await add("one");
    await client.lset(`${p}:w1`, 0, `1:${deliveryNumber(id)}:x`);
    const [claim] = (await worker.take(TAKE)).runs.flat();
    expect(claim?.element).toMatchObject({ class: 1, attempts: 0, crashes: 0 });
    await worker.settle([outcome(claim as never, "skip", { delayMs: 10, error: "no" })]);
    await bench.pass(1, [worker]);
    const [again] = (await worker.take(TAKE)).runs.flat();
    expect(again?.elementText).toBe(`1:${deliveryNumber(id)}:1:0:0`);
    bench.offsetMs += 20_000;
    const other = await bench.worker("w.2");
    await bench.pass(10, [other]);
    expect((await other.take(TAKE)).runs.flat().map(({ element }) => element.crashes)).toEqual([1]);
  });

  test("a key whose next delivery is broken goes on after a settle, a hand-back and a reap", async () => {
    for (const text of ["a", "b", "c", "d"]) await add(text, "k");
    const one = { ...TAKE, run: 1 };
    const next = async (claims = worker) => (await claims.take(one)).runs.flat();
    const list = `${p}:k:k`;
    const [a] = await next();
    await client.linsert(list, "AFTER", a?.elementText ?? "", "broken");
    await worker.settle([outcome(a as never, "done")]);
    expect(await next()).toEqual([]);
    const [b] = await next();
    expect(b && payloadOf(b)).toBe("b");
    await client.linsert(list, "AFTER", b?.elementText ?? "", "broken");
    await worker.release([b as never]);
    const [again] = await next();
    await worker.settle([outcome(again as never, "done")]);
    expect(await drain()).toEqual(["c", "d"]);
    expect(await client.lrange(`${p}:unreadable`, 0, -1)).toEqual(["k\0k\0broken", "k\0k\0broken"]);
  });
});
