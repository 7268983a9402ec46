// What a program does with the bus of `antiphon/bus`: the counterparts of MessageBus' server methods.

import { describe, expect, test } from "vitest";
import { type Heard, openBus } from "../../../services/bus/plugin.ts";
import { closeRedis, openRedis } from "../../../services/redis/connect.ts";
import { randomId } from "../../../services/runtime/ids.ts";
import { useBuses } from "../../support/buses.ts";
import { startProxy } from "../../support/proxy.ts";
import { waitFor } from "../../support/wait-for.ts";

const LONG_MS = { timeoutMs: 20_000 };
const buses = useBuses();
const { open, closers } = buses;

function listener(): { heard: unknown[]; all: Heard[]; fn: (message: Heard) => void } {
  const all: Heard[] = [];
  const heard: unknown[] = [];
  return { all, heard, fn: (message) => void (all.push(message), heard.push(message.data)) };
}

const stored = { status: "stored", epoch: expect.any(String) as string, offset: expect.any(Number) as number };

describe("publish and look back", () => {
  test("publish answers where it is; backlog, last_id, last_ids and last_message find it", async () => {
    const bus = await open();
    expect(await bus.publish("/a", { n: 1 })).toEqual({ ...stored, offset: 1 });
    await bus.publish("/a", "two", { userIds: [7] });
    await bus.publish("/b", null);
    expect((await bus.backlog("/a", 0)).map(({ id, data, targets }) => [id, data, targets])).toEqual([
      [1, { n: 1 }, undefined],
      [2, "two", { users: ["7"] }],
    ]);
    expect((await bus.backlog("/a", 1)).map(({ id }) => id)).toEqual([2]);
    expect(await bus.lastId("/a")).toBe(2);
    expect(await bus.lastIds(["/b", "/never", "/a"])).toEqual([1, 0, 2]);
    expect(await bus.lastMessage("/a")).toMatchObject({ id: 2, data: "two", channel: "/a" });
    expect(await bus.lastMessage("/never")).toBeUndefined();
  });

  test("messages of one turn go in one call, in order, and each has its own answer", async () => {
    const bus = await open();
    const answers = await Promise.all(Array.from({ length: 300 }, (_, n) => bus.publish("/a", n)));
    expect(answers.map((answer) => answer.status === "stored" && answer.offset)).toEqual(answers.map((_, n) => n + 1));
    expect((await bus.backlog("/a", 0)).map(({ data }) => data)).toEqual(answers.map((_, n) => n));
  });

  test("one that cannot be stored fails alone", async () => {
    const namespace = `s${randomId()}`;
    const bus = await open({ namespace });
    const client = openRedis({ url: buses.url, name: "test", purpose: "commands", onState: () => {} });
    await client.set(`{${namespace}:0}:bus:s:/bad`, "no stream");
    await closeRedis(client);
    const [good, bad, other] = await Promise.allSettled([
      bus.publish("/a", 1),
      bus.publish("/bad", 2),
      bus.publish("/a", 3),
    ]);
    expect(good).toMatchObject({ status: "fulfilled", value: { offset: 1 } });
    expect(bad).toMatchObject({ status: "rejected", reason: { code: "PUBLISH_FAILED" } });
    expect(other).toMatchObject({ status: "fulfilled", value: { offset: 2 } });
  });

  test("size and age of the bus, and of one publish; clear_every has no counterpart: it is trimmed at once", async () => {
    const bus = await open({ retention: { messages: 3, ageMs: 60_000 } });
    for (let n = 1; n <= 5; n++) await bus.publish("/a", n);
    expect((await bus.backlog("/a", 0)).map(({ data }) => data)).toEqual([3, 4, 5]);
    await bus.publish("/a", 6, { maxMessages: 1 });
    expect((await bus.backlog("/a", 0)).map(({ data }) => data)).toEqual([6]);
    await bus.publish("/brief", 1, { maxAgeMs: 20 });
    await waitFor(async () => (await bus.backlog("/brief", 0)).length === 0, LONG_MS);
    expect(await bus.lastId("/a")).toBe(6);
  });

  test("what cannot be published is refused", async () => {
    const bus = await open();
    const invalid = { code: "OPTIONS_INVALID" };
    await expect(bus.publish("", 1)).rejects.toMatchObject(invalid);
    await expect(bus.publish("/a$|$b", 1)).rejects.toMatchObject(invalid);
    await expect(bus.publish("/a", 1, { clientIds: [] })).rejects.toMatchObject(invalid);
    await expect(bus.publish("/global/a", 1, { groupIds: ["x"] })).rejects.toMatchObject(invalid);
    await expect(bus.publish("/a", 1, { maxMessages: 0 })).rejects.toMatchObject(invalid);
    await expect(bus.publish("/a", "x".repeat(70_000))).rejects.toMatchObject({ code: "VALUE_TOO_LARGE" });
    expect(await bus.publish("/global/a", 1, { clientIds: ["x"] })).toMatchObject({ status: "stored" });
  });

  test("off drops what is published, on does not; isListening tells whether doorbells are heard", async () => {
    const bus = await open();
    bus.off();
    expect(await bus.publish("/a", 1)).toEqual({ status: "off" });
    bus.on();
    expect(await bus.publish("/a", 2)).toMatchObject({ offset: 1 });
    expect(bus.isListening).toBe(true);
  });

  test("two buses of one process are two buses", async () => {
    const [one, two] = [await open(), await open()];
    await one.publish("/a", 1);
    expect(await two.lastId("/a")).toBe(0);
  });
});

describe("subscribe", () => {
  test("hears what is published from now on, in order, whoever it is for", async () => {
    const bus = await open();
    await bus.publish("/a", "before");
    const { heard, all, fn } = listener();
    await bus.subscribe("/a", fn);
    await bus.publish("/a", 1);
    await bus.publish("/a", 2, { userIds: ["ann"] });
    await waitFor(() => heard.length === 2, LONG_MS);
    expect(heard).toEqual([1, 2]);
    expect(all[1]).toMatchObject({ channel: "/a", id: 3, globalId: 3, targets: { users: ["ann"] }, site: undefined });
  });

  test("from an id, from a position, or with the newest few; what lies between is there once", async () => {
    const bus = await open();
    for (let n = 1; n <= 5; n++) await bus.publish("/a", n);
    const { epoch } = (await bus.lastMessage("/a")) as Heard;
    const [byId, byPosition, recent] = [listener(), listener(), listener()];
    await bus.subscribe("/a", byId.fn, { last: 2 });
    await bus.subscribe("/a", byPosition.fn, { last: { epoch, offset: 3 } });
    await bus.subscribe("/a", recent.fn, { recent: 1 });
    await bus.publish("/a", 6);
    await waitFor(() => [byId, byPosition, recent].every(({ heard }) => heard.at(-1) === 6), LONG_MS);
    expect([byId.heard, byPosition.heard, recent.heard]).toEqual([
      [3, 4, 5, 6],
      [4, 5, 6],
      [5, 6],
    ]);
  });

  test("tells of what was missed for good", async () => {
    const bus = await open();
    for (let n = 1; n <= 4; n++) await bus.publish("/a", n, { maxMessages: 2 });
    const { heard, fn } = listener();
    const gaps: unknown[] = [];
    await bus.subscribe("/a", fn, { last: 1, onGap: (head) => gaps.push(head.offset) });
    expect([heard, gaps]).toEqual([[3, 4], [4]]);
  });

  test("a function that throws is told, and hears the next message; others hear all", async () => {
    const events: string[] = [];
    const bus = await open({ onEvent: (name) => events.push(name) });
    const { heard, fn } = listener();
    let calls = 0;
    await bus.subscribe("/a", () => {
      calls++;
      throw new Error("mine");
    });
    await bus.subscribe("/a", fn);
    await bus.publish("/a", 1);
    await bus.publish("/a", 2);
    await waitFor(() => heard.length === 2 && calls === 2, LONG_MS);
    expect(events.filter((name) => name === "bus.listener-failed")).toHaveLength(2);
  });

  test("unsubscribe ends one function, or all of the channel", async () => {
    const bus = await open();
    const [one, two] = [listener(), listener()];
    await bus.subscribe("/a", one.fn);
    await bus.subscribe("/a", two.fn);
    expect(bus.unsubscribe("/a", one.fn)).toBe(true);
    await bus.publish("/a", 1);
    await waitFor(() => two.heard.length === 1, LONG_MS);
    expect(bus.unsubscribe("/a")).toBe(true);
    expect(bus.unsubscribe("/a")).toBe(false);
    expect(one.heard).toEqual([]);
  });

  test("hears other processes, and goes on when one of them is closed", async () => {
    const namespace = `s${randomId()}`;
    const [here, there] = [await open({ namespace }), await open({ namespace })];
    const { heard, fn } = listener();
    await here.subscribe("/a", fn);
    await there.publish("/a", 1);
    await there.close();
    await here.publish("/a", 2);
    await waitFor(() => heard.length === 2, LONG_MS);
    expect(heard).toEqual([1, 2]);
  });

  test("sites do not hear each other; the current site is asked for; /global/ is for all", async () => {
    let site: string | undefined = "a";
    const bus = await open({ currentSite: () => site });
    const [a, b, all] = [listener(), listener(), listener()];
    await bus.subscribe("/x", a.fn);
    await bus.subscribe("/x", b.fn, { site: "b" });
    await bus.subscribe("/global/x", all.fn);
    await bus.publish("/x", "to a");
    site = "b";
    await bus.publish("/x", "to b");
    await bus.publish("/global/x", "to all");
    await waitFor(() => all.heard.length === 1 && b.heard.length === 1 && a.heard.length === 1, LONG_MS);
    expect([a.heard, b.heard, all.heard]).toEqual([["to a"], ["to b"], ["to all"]]);
    expect([a.all[0]?.site, a.all[0]?.channel]).toEqual(["a", "/x"]);
  });
});

describe("the index of all channels", () => {
  test("subscribeAll and globalBacklog: every channel, in one order, with ids of its own", async () => {
    const bus = await open({ globalIndex: true });
    const { heard, all, fn } = listener();
    await bus.subscribeAll(fn);
    await bus.publish("/a", 1);
    await bus.publish("/b", 2, { userIds: ["ann"] });
    await bus.publish("/a", 3, { site: "s" });
    await waitFor(() => heard.length === 3, LONG_MS);
    const seen = all.map(({ channel, site, id, globalId, data }) => [channel, site, id, globalId, data]);
    expect(seen).toEqual([
      ["/a", undefined, 1, 1, 1],
      ["/b", undefined, 1, 2, 2],
      ["/a", "s", 1, 3, 3],
    ]);
    expect(all[1]?.targets).toEqual({ users: ["ann"] });
    expect((await bus.globalBacklog(1)).map(({ globalId, data }) => [globalId, data])).toEqual([
      [2, 2],
      [3, 3],
    ]);
    expect((await bus.lastMessage("/b"))?.globalId).toBe(2);
    expect(bus.unsubscribeAll(fn)).toBe(true);
  });

  test("needs to be asked for", async () => {
    const bus = await open();
    await expect(bus.subscribeAll(() => {})).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    await expect(bus.globalBacklog(0)).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
  });
});

describe("an outage", () => {
  test("messages wait in memory with all their options, and are written once, in order; who does not want to wait is told", async () => {
    const proxy = await startProxy(Number(new URL(buses.url).port));
    closers.push(() => proxy.stop());
    const namespace = `s${randomId()}`;
    const bus = await open({ url: `redis://127.0.0.1:${proxy.port}`, namespace });
    const watcher = await open({ namespace });
    await bus.publish("/a", 0);
    await proxy.refuse();
    expect(await bus.publish("/a", 1, { userIds: ["ann"] })).toEqual({ status: "buffered" });
    expect(await bus.publish("/a", 2, { maxMessages: 50 })).toEqual({ status: "buffered" });
    await expect(bus.publish("/a", "now or never", { queueInMemory: false })).rejects.toMatchObject({
      code: "REDIS_UNAVAILABLE",
    });
    expect(bus.diagnostics().waiting).toBe(2);
    await proxy.mend();
    await waitFor(async () => (await watcher.backlog("/a", 0)).length === 3, LONG_MS);
    const kept = await watcher.backlog("/a", 0);
    expect(kept.map(({ data, targets }) => [data, targets])).toEqual([
      [0, undefined],
      [1, { users: ["ann"] }],
      [2, undefined],
    ]);
  });
});

test("the memory backend is a server of this process", async () => {
  const bus = await openBus({ backend: "memory" });
  closers.push(() => bus.close());
  const { heard, fn } = listener();
  await bus.subscribe("/a", fn);
  await bus.publish("/a", 1);
  await waitFor(() => heard.length === 1, LONG_MS);
});

test("settings that are wrong are told all at once", async () => {
  await expect(openBus({ namespace: "a b", access: "maybe" as "open" })).rejects.toThrow(
    /access must be .*namespace.*url is missing/,
  );
});
