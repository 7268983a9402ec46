// In the middle of a rollout: a newer producer writes what the oldest registered worker reads.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { WorkerFacts } from "../../../services/broker/claims.ts";
import { ENVELOPE_VERSION } from "../../../services/broker/delivery.ts";
import { EnvelopeVersion } from "../../../services/broker/envelope-version.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { Bench } from "../../support/broker.ts";
import { Lab } from "../../support/handling.ts";
import { testRedis } from "../../support/redis.ts";

let url: string;
let client: RedisClient;
let bench: Bench;
let nowMs = 0;
const clock = { ...systemClock, monotonic: () => nowMs };

beforeAll(async () => {
  ({ url } = await testRedis());
  client = openRedis({ url, name: "versions", purpose: "commands", onState: () => {} });
});
afterAll(() => closeRedis(client));
beforeEach(() => {
  bench = new Bench(client);
});

async function worker(wid: string, queue: string, envelope?: number): Promise<() => Promise<unknown>> {
  const facts: WorkerFacts = { process: wid, startedAtMs: 0, threads: 2, slots: 8, ...(envelope && { envelope }) };
  const claims = await bench.worker(wid, queue);
  await claims.register({ clientId: "1", pod: "test", facts });
  return () => claims.bye([]);
}

test("a newer producer writes the lowest version that every registered worker reads, whichever queue it serves", async () => {
  const versions = new EnvelopeVersion({ context: bench.context, clock, newest: 3 });
  const leave = [
    await worker("new.1", "default", 3),
    await worker("older.1", "other", 2),
    await worker("first.1", "chat"),
  ];
  const next = (): Promise<number> => {
    nowMs += 5_001;
    return versions.toWrite();
  };
  expect(await next()).toBe(1);
  await leave[2]?.();
  expect(await next()).toBe(2);
  await leave[1]?.();
  expect(await next()).toBe(3);
  await worker("newest.1", "default", 4);
  expect(await next()).toBe(3);
});

test("it asks once in five seconds, and writes what all read while nobody can be asked", async () => {
  let asked = 0;
  const counted = new Proxy(client, {
    get: (target, name) => {
      if (name === "smembers") asked++;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const versions = new EnvelopeVersion({ context: { ...bench.context, client: counted }, clock, newest: 2 });
  await worker("new.1", "default", 2);
  nowMs += 10_000;
  expect([await versions.toWrite(), await versions.toWrite()]).toEqual([2, 2]);
  expect(asked).toBe(1);
  const away = new Proxy(client, {
    get: () => async () => {
      throw new Error("away");
    },
  });
  const alone = new EnvelopeVersion({ context: { ...bench.context, client: away }, clock, newest: 2 });
  expect(await alone.toWrite()).toBe(1);
});

test("real workers say which version they read", async () => {
  const lab = new Lab(url);
  try {
    await lab.work();
    const newer = new EnvelopeVersion({ context: lab.broker, clock: systemClock, newest: ENVELOPE_VERSION + 1 });
    expect(await newer.toWrite()).toBe(ENVELOPE_VERSION);
  } finally {
    await lab.stop();
  }
});
