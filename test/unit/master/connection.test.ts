// Connections that are no use to anybody for a while: wrong credentials, a second bot that has the same ones; and who may be
// connected beside whom, by ingress class, over real sockets.

import { afterEach, beforeEach, expect, test } from "vitest";
import { type Clock, systemClock } from "../../../services/runtime/clock.ts";
import type { Ingress } from "../../../services/sdk/adapter.ts";
import { FakeChat } from "../../support/fake-chat.ts";
import { testRedis } from "../../support/redis.ts";
import { type TestMaster, UnitKit } from "../../support/unit-kit.ts";
import { waitFor } from "../../support/wait-for.ts";

let kit: UnitKit;
let others: UnitKit;
let chat: FakeChat;

beforeEach(async () => {
  const { url } = await testRedis();
  kit = new UnitKit(url);
  others = new UnitKit(url);
});

afterEach(async () => {
  await kit.close();
  await others.close();
  await chat.stop();
});

/** What waits for long waits 50 ms. */
const HASTY: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms >= 20_000 ? 50 : ms, signal) };
const passed = (ms: number): Promise<boolean> => {
  const until = performance.now() + ms;
  return waitFor(() => performance.now() > until);
};
const failures = (master: TestMaster): string[] =>
  master
    .of("adapter.state")
    .filter(({ state }) => state === "failed")
    .map(({ detail = "" }) => detail);

test.each<Ingress>(["takeover", "shared"])(
  "%s, wrong credentials: failed, told once, and no storm",
  async (ingress) => {
    chat = await FakeChat.start({ ingress });
    chat.faults.token = "right";
    const master = await kit.master(`${chat.url}&token=wrong`);
    await kit.act({ room: "lobby", text: "1" });
    await waitFor(() => master.unit.status.state === "failed" && master.leader.state === "leader");
    expect(master.unit.status.detail).toBe("refused: the token is wrong");
    await passed(500);
    expect(chat.refusals).toHaveLength(1);
    expect(failures(master)).toHaveLength(1);
    expect(master.of("leader.lost")).toEqual([]);
    expect(await kit.outboxDepth()).toBe(1);
  },
);

test("a service that was only confused is asked again after a rest, and what waits is said", async () => {
  chat = await FakeChat.start();
  chat.faults.token = "right";
  const master = await kit.master(`${chat.url}&token=wrong`, { clock: HASTY });
  await kit.act({ room: "lobby", text: "1" });
  await waitFor(() => chat.refusals.length >= 2);
  chat.faults.token = undefined;
  await waitFor(() => chat.said("lobby").length === 1);
  expect(master.unit.status.state).toBe("ready");
});

test("two bots with the same credentials: one steps down and says why, the other goes on undisturbed", async () => {
  chat = await FakeChat.start();
  const masters = [await kit.master(chat.url), await others.master(chat.url)];
  const states = (): string[] => masters.map(({ unit }) => unit.status.state).sort();
  await waitFor(() => states().includes("failed"), { timeoutMs: 20_000 });
  await waitFor(() => chat.connected.length === 1 && states().join() === "failed,ready");
  const [stepped] = masters.filter(({ unit }) => unit.status.state === "failed");
  expect(failures(stepped as TestMaster)[0]).toMatch(/^Another process keeps taking over fake .*second bot/);
  const hellos = chat.hellos.length;
  await passed(500);
  expect(chat.hellos).toHaveLength(hellos);
});

test("exclusive: a second bot is refused and says so, and does not disturb the first", async () => {
  chat = await FakeChat.start({ ingress: "exclusive" });
  const first = await kit.master(chat.url);
  await waitFor(() => chat.connected.length === 1);
  const second = await others.master(chat.url);
  await waitFor(() => chat.refusals.length >= 2);
  const details = second.of("adapter.state").map(({ detail = "" }) => detail);
  expect(details).toContain("refused: another connection is open");
  chat.say({ room: "lobby", user: "ann", text: "1" });
  await waitFor(async () => (await kit.stored()).length === 1);
  expect(first.of("adapter.state").filter(({ state }) => state !== "ready" && state !== "connecting")).toHaveLength(1);
});

test.each<Ingress>(["takeover", "exclusive"])(
  "%s: at a handover the old connection closes before the new one opens",
  async (ingress) => {
    chat = await FakeChat.start({ ingress });
    const { first, second } = await handedOver();
    await waitFor(() => chat.visits.length === 2);
    const [old, next] = chat.visits;
    expect(old?.leftAt).toBeLessThanOrEqual(next?.at ?? 0);
    expect(chat.refusals).toEqual([]);
    expect([first.unit.status.state, second.unit.status.state]).toEqual(["standby", "ready"]);
  },
);

test.each<Ingress>(["overlap", "shared"])(
  "%s: the old connection closes after the next leader's is ready",
  async (ingress) => {
    chat = await FakeChat.start({ ingress });
    const first = await kit.master(chat.url);
    await waitFor(() => chat.connected.length === 1 && first.leader.state === "leader");
    // The next one is there to lead, but its connection comes late.
    chat.faults.helloMs = 700;
    const second = await kit.master(chat.url);
    await first.stop();
    await waitFor(() => second.unit.status.state === "ready");
    await waitFor(() => chat.visits[0]?.leftAt !== undefined);
    const [old, next] = chat.visits;
    expect(old?.leftAt).toBeGreaterThanOrEqual(next?.at ?? Number.POSITIVE_INFINITY);
  },
);

test.each<Ingress>(["shared", "overlap", "takeover", "exclusive"])(
  "%s: a handover under load loses nothing and doubles nothing, in and out",
  async (ingress) => {
    chat = await FakeChat.start({ ingress });
    const first = await kit.master(chat.url);
    await waitFor(() => chat.connected.length === 1 && first.leader.state === "leader");
    const second = await kit.master(chat.url);
    const texts = Array.from({ length: 60 }, (_, n) => String(n));
    for (const [n, text] of texts.entries()) {
      chat.say({ room: "lobby", user: "ann", text });
      await kit.act({ room: "lobby", text });
      if (n === 20) void first.stop();
    }
    await waitFor(async () => (await kit.stored()).length === 60 && chat.said("lobby").length === 60, {
      timeoutMs: 20_000,
    });
    await waitFor(() => second.leader.state === "leader" && second.unit.status.state === "ready");
    expect((await kit.stored()).map(({ text }) => text)).toEqual(texts);
    expect(chat.said("lobby")).toEqual(texts);
  },
);

async function handedOver(): Promise<{ first: TestMaster; second: TestMaster }> {
  const first = await kit.master(chat.url);
  await waitFor(() => chat.connected.length === 1);
  const second = await kit.master(chat.url);
  await first.stop();
  await waitFor(() => second.unit.status.state === "ready");
  return { first, second };
}

test("a tenure that is handed over while its adapter is still being made connects nothing any more", async () => {
  chat = await FakeChat.start();
  const { promise, resolve } = Promise.withResolvers<void>();
  let isSlow = false;
  const master = await kit.master(chat.url, { making: () => (isSlow ? promise : undefined) });
  await waitFor(() => chat.connected.length === 1);
  isSlow = true;
  await (await kit.broker()).client.del(kit.keys.lease("fake"));
  await waitFor(() => master.of("leader.acquired").length === 2, { timeoutMs: 20_000 });
  const stopped = master.leader.stop(3_000);
  await passed(50);
  resolve();
  await stopped;
  expect([chat.hellos.length, master.unit.status.state]).toEqual([1, "standby"]);
});
