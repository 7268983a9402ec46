// The judge judged: what the suite must notice is done to a real Redis on purpose.

import { afterEach, beforeEach, expect, test } from "vitest";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { Lease } from "../../../services/leader/lease.ts";
import { writeResume } from "../../../services/leader/resume.ts";
import { leaseTiming } from "../../../services/leader/timing.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { randomId } from "../../../services/runtime/ids.ts";
import { type RedisServer, startRedisServer, withServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";
import { FenceLog } from "./fence-log.ts";
import { fenceProblems, grants, handovers, overlapMs, refusals } from "./judge.ts";

/** As a script would write that forgot its fence, or looked at it and wrote all the same. */
const UNFENCED = "redis.call('GET', KEYS[1]) redis.call('HSET', KEYS[2], 'epoch', ARGV[1]) return 1";
const FALLING = "redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], ARGV[1]) return 1";

withServer("redis-server", () => {
  const keys = new Keys("judged", 0);
  const lease = `${keys.tag} fake`;
  let server: RedisServer;
  let client: RedisClient;
  let log: FenceLog;

  beforeEach(async () => {
    server = await startRedisServer();
    client = openRedis({ url: server.url, name: "judge", purpose: "commands", onState: () => {} });
    log = new FenceLog([server.port]);
    await log.start();
  });
  afterEach(async () => {
    log.stop();
    await closeRedis(client);
    await server.stop();
  });

  async function tenure(): Promise<{ lease: Lease; epoch: string; write: () => Promise<void> }> {
    const timing = leaseTiming(6_000);
    const options = { client, keys, unit: "fake", owner: "me", newId: randomId, timing, clock: systemClock };
    const held = new Lease(options);
    await waitFor(() => held.acquire());
    const { epoch } = held;
    const write = (): Promise<void> => writeResume(client, keys, { unit: "fake", epoch, fields: { a: "1" } });
    return { lease: held, epoch, write };
  }

  /** Everything that was done so far is in the log. */
  async function told(): Promise<void> {
    await client.eval("return redis.call('GET', KEYS[1])", 1, keys.epoch("last"));
    await client.ping();
    await waitFor(() => log.of(`${keys.tag} last`).length > 0);
  }

  test("two tenures one after the other are sound, and what the first still tries is seen as refused", async () => {
    const first = await tenure();
    await first.write();
    await first.lease.extend();
    await first.lease.release();
    const second = await tenure();
    await second.write();
    await expect(first.write()).rejects.toThrow();
    await told();
    const entries = log.of(lease);
    expect(entries.map(({ deed }) => deed)).toEqual([
      "grant",
      "intake",
      "renewal",
      "release",
      "grant",
      "intake",
      "refused",
    ]);
    expect(fenceProblems(entries)).toEqual([]);
    expect(overlapMs(entries)).toBe(0);
    expect(refusals(entries)).toBe(1);
    expect(grants(entries).map(({ epoch }) => String(epoch))).toEqual([first.epoch, second.epoch]);
    expect(handovers(entries)).toHaveLength(1);
  });

  test("a write from the past that Redis accepted is noticed", async () => {
    const first = await tenure();
    await first.lease.release();
    await tenure();
    await client.eval(UNFENCED, 2, keys.epoch("fake"), keys.resume("fake"), first.epoch);
    await told();
    const entries = log.of(lease);
    expect(fenceProblems(entries)).toHaveLength(1);
    expect(overlapMs(entries)).toBeGreaterThan(0);
  });

  test("an epoch that does not grow is noticed", async () => {
    const first = await tenure();
    await client.eval(FALLING, 1, keys.epoch("fake"), String(Number(first.epoch) - 1));
    await told();
    expect(fenceProblems(log.of(lease))).toHaveLength(1);
  });
});
