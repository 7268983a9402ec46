// What processes tell of their bus, for whoever looks: snapshots in Redis, figures, and how late messages are.

import { describe, expect, test } from "vitest";
import { Lag } from "../../../services/bus/lag.ts";
import { type BusContext, busNodes } from "../../../services/bus/nodes.ts";
import { closeRedis, openRedis } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { randomId } from "../../../services/runtime/ids.ts";
import { useBuses } from "../../support/buses.ts";
import { openDoor } from "../../support/http-door.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { waitFor } from "../../support/wait-for.ts";

const LONG_MS = { timeoutMs: 40_000 };
const buses = useBuses();
const { open, closers } = buses;

function look(namespace: string): BusContext {
  const client = openRedis({ url: buses.url, name: "test", purpose: "commands", onState: () => {} });
  closers.push(() => closeRedis(client));
  return { client, keys: new Keys(namespace, 0) };
}

describe("nodes", () => {
  test("each process that has work with its bus tells of itself; one that has none does not", async () => {
    const namespace = `s${randomId()}`;
    const context = look(namespace);
    const [reads, writes] = [await open({ namespace }), await open({ namespace }), await open({ namespace })];
    await reads.subscribe("/a", () => {});
    for (let n = 0; n < 3; n++) await writes.publish("/a", n);
    await waitFor(async () => (await busNodes(context)).nodes.length === 2, LONG_MS);
    const { nodes, total } = await busNodes(context);
    expect(total).toBe(2);
    const [reader, writer] = nodes.toSorted((a, b) => a.published - b.published);
    expect(reader).toMatchObject({
      pod: expect.stringMatching(/^.+:\d+$/) as string,
      version: expect.stringMatching(/^\d+\./) as string,
      byFace: { inside: 2 },
      streams: 2,
      connections: 0,
      waiting: 0,
      away: false,
    });
    expect(reader?.channels).toContainEqual({
      channel: "/a",
      readers: 1,
      epoch: expect.any(String) as string,
      offset: 3,
    });
    expect(writer).toMatchObject({ published: 3, channelCount: 1 });
    expect(Math.abs(Date.parse(reader?.at ?? "") - Date.now())).toBeLessThan(60_000);
    expect((await busNodes(context, 1)).nodes).toHaveLength(1);
  });

  test("snapshots expire, and are bounded", async () => {
    const namespace = `s${randomId()}`;
    const context = look(namespace);
    const bus = await open({ namespace });
    for (let n = 0; n < 30; n++) await bus.subscribe(`/c${n}`, () => {});
    await bus.subscribe("/c7", () => {});
    await waitFor(async () => (await busNodes(context)).nodes.length === 1, LONG_MS);
    const [node] = (await busNodes(context)).nodes;
    expect(node?.channels).toHaveLength(20);
    expect(node?.channels[0]).toMatchObject({ channel: "/c7", readers: 2 });
    expect(node?.channelCount).toBe(31);
    const keys = (await context.client.keys(`${context.keys.bus()}:n*`)) as string[];
    expect(keys).toHaveLength(2);
    for (const key of keys) expect(await context.client.pttl(key)).toBeGreaterThan(0);
  });

  test("lag is counted once the server's clock is known, of what comes live", async () => {
    const namespace = `s${randomId()}`;
    const bus = await open({ namespace });
    const heard: unknown[] = [];
    await bus.subscribe("/a", (message) => heard.push(message.data));
    await waitFor(async () => {
      await bus.publish("/a", 1);
      return bus.diagnostics().lagMs.messages >= 3;
    }, LONG_MS);
    const { lag, lagMs } = bus.diagnostics();
    expect(lag.reduce((sum, { messages }) => sum + messages, 0)).toBe(lagMs.messages);
    expect(lag.at(-1)?.upToMs).toBeNull();
    // A minute: clocks that were compared wrongly are far beyond it.
    expect(lagMs.sum / lagMs.messages).toBeLessThan(60_000);
  });

  test("a worker tells of the pages that it serves", async () => {
    const namespace = `door-${randomId()}`;
    const context = look(namespace);
    const door = await openDoor({ redisUrl: buses.url, namespace, env: { ANTIPHON_ADAPTERS: "web" } });
    closers.push(() => door.stop());
    await door.bus.publish("/a", Buffer.from("1"));
    await waitFor(async () => (await busNodes(context)).nodes.length === 1, LONG_MS);
    expect((await busNodes(context)).nodes[0]).toMatchObject({ published: 1, streams: 1, byFace: { inside: 1 } });
  });
});

describe("lag", () => {
  const message = (storedAt?: number) => ({ storedAt });

  test("is the time from the server's store to our send, by the server's clock", () => {
    const clock = new ManualClock();
    const lag = new Lag(clock);
    const now = clock.now();
    lag.sent([message(now)]);
    expect(lag.messages).toBe(0);
    // The server is 10 s ahead of us.
    lag.compare(now + 10_005, { askedAt: now, answeredAt: now + 10 });
    lag.sent([
      message(now + 10_000),
      message(now + 9_993),
      message(now + 9_000),
      message(now),
      message(),
      message(now + 99_000),
    ]);
    const counted = lag.buckets.filter(({ messages }) => messages > 0);
    expect(counted).toEqual([
      { upToMs: 1, messages: 2 },
      { upToMs: 10, messages: 1 },
      { upToMs: 1_000, messages: 1 },
      { upToMs: null, messages: 1 },
    ]);
    expect([lag.messages, lag.sumMs]).toEqual([5, 11_007]);
  });
});
