// The way of an adapter's events into the broker, when their acknowledgement waits for more than Redis' reply.

import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { queueDepth } from "../../../services/broker/inspect.ts";
import type { Tenure } from "../../../services/leader/duty.ts";
import { type HostOptions, UnitHost } from "../../../services/master/host.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import type { Durability } from "../../../services/redis/durable.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import type { Inbound } from "../../../services/sdk/adapter.ts";
import { Bench, LIMITS } from "../../support/broker.ts";
import { type RedisServer, startRedisServer, testRedis, withServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

const told: string[] = [];

function inbound(id: string): Inbound {
  const user = { id: "ann", name: "Ann", isSelf: false, isBot: false };
  const message = { id, room: { id: "#ops" }, user, text: id, mentionsBot: false, sentAt: 0 };
  return {
    event: { id, receivedAt: 0, type: "message", message } as unknown as Inbound["event"],
    dedupe: [id],
    ack: (stored) => void told.push(`${id} ${stored}`),
    nack: (why) => void told.push(`${id} ${why}`),
  };
}

function hostOf(
  client: RedisClient,
  durability: Durability,
  { ingress = "shared", limits = LIMITS }: Partial<Pick<HostOptions, "ingress" | "limits">> = {},
): { host: UnitHost; bench: Bench } {
  const bench = new Bench(client);
  const host = new UnitHost({
    unit: "fake",
    ingress,
    broker: { ...bench.context, durability },
    limits,
    order: "user",
    clock: systemClock,
    emit: () => {},
    onState: () => {},
  });
  return { host, bench };
}

async function withClient(url: string, work: (client: RedisClient) => Promise<void>): Promise<void> {
  told.length = 0;
  const client = openRedis({ url, name: "host", purpose: "commands", onState: () => {} });
  await work(client).finally(() => closeRedis(client));
}

test("by default each event is acknowledged when it is stored, in order", async () => {
  await withClient((await testRedis()).url, async (client) => {
    const { host } = hostOf(client, "default");
    expect(await host.intake(["a", "b", "a"].map(inbound))).toBe("ok");
    expect(told).toEqual(["a stored", "b stored", "a duplicate"]);
  });
});

test("a backlog goes to Redis in one script for each hundred", async () => {
  await withClient((await testRedis()).url, async (client) => {
    const { host, bench } = hostOf(client, "default");
    await host.intake([inbound("first")]); // the server knows the script now
    const calls = vi.spyOn(client, "callBuffer");
    const ids = Array.from({ length: 250 }, (_, index) => `e${index}`);
    expect(await host.intake(ids.map(inbound))).toBe("ok");
    expect(calls).toHaveBeenCalledTimes(3);
    expect(told.slice(1)).toEqual(ids.map((id) => `${id} stored`));
    expect((await queueDepth(bench.context, "chat")).ready).toBe(251);
  });
});

test("a queue that has room for some takes those; the others are refused and come back", async () => {
  await withClient((await testRedis()).url, async (client) => {
    const { host, bench } = hostOf(client, "default", { limits: { ...LIMITS, deliveries: 3 } });
    const batch = ["a", "b", "c", "d", "e"].map(inbound);
    expect(await host.intake(batch)).toBe("queueFull");
    expect(told).toEqual(["a stored", "b stored", "c stored", "d queueFull", "e queueFull"]);
    expect((await queueDepth(bench.context, "chat")).ready).toBe(3);
  });
});

test("resume state follows what is stored, and an old epoch changes neither", async () => {
  await withClient((await testRedis()).url, async (client) => {
    const { host, bench } = hostOf(client, "default", { ingress: "takeover", limits: { ...LIMITS, deliveries: 3 } });
    const { keys } = bench.context;
    await client.set(keys.epoch("fake"), "7");
    host.tenure = { epoch: "7", held: () => true } as unknown as Tenure;
    const waiting = ["a", "b", "c", "d"].map((id) => ({
      ...inbound(id),
      resume: { v: 1, kind: "fake", data: { after: id }, at: 0 } as const,
    }));
    const after = async (): Promise<unknown> => JSON.parse((await client.hget(keys.resume("fake"), "data")) ?? "null");
    expect(await host.intake(waiting)).toBe("queueFull");
    expect(await after()).toEqual({ after: "c" });
    told.length = 0;
    await client.set(keys.epoch("fake"), "8");
    expect(await host.intake(waiting.slice(0, 2))).toBe("fenced");
    expect(told).toEqual(["a fenced", "b fenced"]);
    expect(await after()).toEqual({ after: "c" });
  });
});

test("what is stored and not proven is not acknowledged; the whole batch waits for one proof", async () => {
  await withClient((await testRedis()).url, async (client) => {
    const { host, bench } = hostOf(client, "replica");
    const ids = Array.from({ length: 8 }, (_, index) => `e${index}`);
    const intake = host.intake(ids.map(inbound));
    // All of them are stored while the first proof is still awaited.
    await waitFor(async () => (await queueDepth(bench.context, "chat")).ready === 8);
    expect(told).toEqual([]);
    expect(await intake).toBe("redisDown");
    expect(told).toEqual(ids.map((id) => `${id} redisDown`));
  });
});

withServer("redis-server", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedisServer(["--appendonly", "yes", "--appendfsync", "always"]);
  });
  afterAll(() => server.stop());

  test("what is proven is acknowledged, in order", async () => {
    await withClient(server.url, async (client) => {
      const { host } = hostOf(client, "fsync");
      expect(await host.intake(["a", "b", "a"].map(inbound))).toBe("ok");
      expect(told).toEqual(["a stored", "b stored", "a duplicate"]);
    });
  });
});
