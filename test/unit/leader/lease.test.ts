import { afterEach, expect, test } from "vitest";
import { Lease } from "../../../services/leader/lease.ts";
import { readResume, writeResume } from "../../../services/leader/resume.ts";
import { leaseTiming } from "../../../services/leader/timing.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { type Clock, systemClock } from "../../../services/runtime/clock.ts";
import { randomId } from "../../../services/runtime/ids.ts";
import { eachServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

const timing = leaseTiming(1_500);
const open: RedisClient[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => closeRedis(client)));
});

eachServer((_name, getUrl) => {
  const namespace = `lease-${randomId()}`;
  const keys = new Keys(namespace, 0);

  async function connected(): Promise<RedisClient> {
    const client = openRedis({ url: getUrl(), name: "test", purpose: "lease", onState: () => {} });
    open.push(client);
    await waitFor(() => client.status === "ready");
    return client;
  }

  async function candidate(unit: string, clock: Clock = systemClock, newId = randomId): Promise<Lease> {
    const client = await connected();
    return new Lease({ client, keys, unit, owner: "pod", newId, timing, clock });
  }

  test("one of two candidates gets the Lease", async () => {
    const [a, b] = [await candidate("one"), await candidate("one")];
    const won = await Promise.all([a.acquire(), b.acquire()]);
    expect(won.filter(Boolean)).toHaveLength(1);
    expect([a.held(), b.held()].filter(Boolean)).toHaveLength(1);
  });

  test("a Lease that is ours by an acquire whose answer was lost is free to us, and to nobody else", async () => {
    const sameId = (): string => "same";
    const [unseen, us] = [
      await candidate("unseen", systemClock, sameId),
      await candidate("unseen", systemClock, sameId),
    ];
    await unseen.acquire();
    expect(await us.freeInMs()).toBe(0);
    expect(await (await candidate("unseen")).freeInMs()).toBeGreaterThan(0);
    expect(await us.acquire()).toBe(true);
    expect(us.epoch).toBe(unseen.epoch);
  });

  test("the epoch grows with each tenure and stays when the same tenure acquires again", async () => {
    const [a, b] = [await candidate("epoch"), await candidate("epoch")];
    await a.acquire();
    const first = a.epoch;
    expect(await a.acquire()).toBe(true);
    expect(a.epoch).toBe(first);
    await a.release();
    expect(await b.acquire()).toBe(true);
    expect(Number(b.epoch)).toBeGreaterThan(Number(first));
  });

  test("the epoch grows although both keys were lost", async () => {
    const a = await candidate("lost-keys");
    await a.acquire();
    const first = a.epoch;
    const client = await connected();
    await client.del(keys.lease("lost-keys"), keys.epoch("lost-keys"));
    await a.release();
    await waitFor(() => Date.now() > Number(first));
    await waitFor(() => a.acquire());
    expect(Number(a.epoch)).toBeGreaterThan(Number(first));
  });

  test("an extended Lease outlives its first length, a silent one does not", async () => {
    const [a, b] = [await candidate("extend"), await candidate("extend")];
    await a.acquire();
    const until = performance.now() + 1.5 * timing.leaseMs;
    while (performance.now() < until) {
      // On a busy machine an answer may come late; only a refusal or a second winner would be wrong.
      expect(await a.extend().catch(() => "late")).not.toBe(false);
      expect(await b.acquire().catch(() => "late")).not.toBe(true);
    }
    await waitFor(() => b.acquire());
    expect(a.held()).toBe(false);
  });

  test("the holder no longer acts at two thirds although Redis still keeps the Lease", async () => {
    const a = await candidate("deadline");
    await a.acquire();
    await waitFor(() => !a.held());
    expect(() => a.assert()).toThrow(expect.objectContaining({ code: "FENCED" }));
    expect(await (await candidate("deadline")).freeInMs()).toBeGreaterThan(0);
  });

  test("an expired Lease is never extended", async () => {
    let skipMs = 0;
    const clock = { ...systemClock, monotonic: () => performance.now() + skipMs };
    const a = await candidate("expired", clock);
    await a.acquire();
    skipMs = timing.deadlineMs;
    const other = await candidate("expired");
    const before = await other.freeInMs();
    expect(await a.extend()).toBe(false);
    expect(await other.freeInMs()).toBeLessThanOrEqual(before);
  });

  test("the earlier of the two clocks decides", async () => {
    let skipMs = 0;
    const clock = { ...systemClock, now: () => Date.now() + skipMs };
    const a = await candidate("clocks", clock);
    await a.acquire();
    skipMs = -60_000;
    expect(a.remainingMs()).toBeLessThanOrEqual(timing.deadlineMs);
    skipMs = timing.deadlineMs;
    expect(a.held()).toBe(false);
  });

  test("a Lease that another has taken cannot be extended or released by the former holder", async () => {
    const [a, b] = [await candidate("stolen"), await candidate("stolen")];
    await a.acquire();
    await (await connected()).del(keys.lease("stolen"));
    expect(await b.acquire()).toBe(true);
    expect(await a.extend()).toBe(false);
    expect(a.held()).toBe(false);
    await a.release();
    expect(await b.extend()).toBe(true);
  });

  test("an acquire whose answer was lost is won by the next try, with one epoch", async () => {
    const client = await connected();
    const a = new Lease({
      client,
      keys,
      unit: "lost-answer",
      owner: "pod",
      newId: randomId,
      timing,
      clock: systemClock,
    });
    const mget = client.mget.bind(client);
    client.mget = () => Promise.reject(new Error("connection reset"));
    await expect(a.acquire()).rejects.toThrow();
    const raised = await client.get(keys.epoch("lost-answer"));
    client.mget = mget;
    expect(await a.acquire()).toBe(true);
    expect(a.epoch).toBe(raised);
  });

  test("what redlock sends after an acquire that seemed to fail does not end a Lease that was won after all", async () => {
    const client = await connected();
    const unit = "seemed-to-fail";
    const a = new Lease({ client, keys, unit, owner: "pod", newId: randomId, timing, clock: systemClock });
    await a.acquire();
    await a.release();
    const evalsha = client.evalsha.bind(client) as (...args: unknown[]) => Promise<unknown>;
    let lost = false;
    const losing = async (...args: unknown[]): Promise<unknown> => {
      const reply = await evalsha(...args);
      if (lost) return reply;
      lost = true;
      throw new Error("connection reset");
    };
    Object.assign(client, { evalsha: losing });
    await expect(a.acquire()).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
    const epoch = await client.get(keys.epoch(unit));
    expect(await client.exists(keys.lease(unit))).toBe(1);
    expect(await a.acquire()).toBe(true);
    expect(a.epoch).toBe(epoch);
  });

  test("a release wakes those who wait, with the token that went", async () => {
    const a = await candidate("wake");
    const subscriber = openRedis({ url: getUrl(), name: "test-sub", purpose: "subscriber", onState: () => {} });
    open.push(subscriber);
    const heard: string[] = [];
    subscriber.on("message", (channel: string, token: string) => heard.push(`${channel} ${token}`));
    await subscriber.subscribe(keys.leaseFree("wake"));
    await a.acquire();
    const token = await (await connected()).get(keys.lease("wake"));
    await a.release();
    await waitFor(() => heard.length === 1);
    expect(heard).toEqual([`${keys.leaseFree("wake")} ${token}`]);
    expect(token).toMatch(/^pod:/);
  });

  test("the next tenure has another token", async () => {
    const a = await candidate("token");
    const client = await connected();
    await a.acquire();
    const first = await client.get(keys.lease("token"));
    await a.release();
    await a.acquire();
    expect(await client.get(keys.lease("token"))).not.toBe(first);
  });

  test("a Redis that does not answer is bounded and no loss by itself", async () => {
    const a = await candidate("away");
    await a.acquire();
    const client = await connected();
    await client.call("CLIENT", "PAUSE", 250);
    await expect(a.extend()).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
    expect(a.held()).toBe(true);
    await waitFor(() => a.extend());
  });

  test("resume state is refused from another epoch", async () => {
    const client = await connected();
    const [a, b] = [await candidate("resume"), await candidate("resume")];
    await a.acquire();
    const old = a.epoch;
    await writeResume(client, keys, { unit: "resume", epoch: old, fields: { cursor: "7" } });
    expect(await readResume(client, keys, "resume")).toEqual({ cursor: "7", epoch: old });
    await a.release();
    await b.acquire();
    const late = writeResume(client, keys, { unit: "resume", epoch: old, fields: { cursor: "8" } });
    await expect(late).rejects.toMatchObject({ code: "FENCED" });
    expect(await readResume(client, keys, "resume")).toEqual({ cursor: "7", epoch: old });
    expect(await readResume(client, keys, "never")).toBeUndefined();
  });
});
