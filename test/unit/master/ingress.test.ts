import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../../services/runtime/clock.ts";
import type { Ingress } from "../../../services/sdk/adapter.ts";
import { FakeChat } from "../../support/fake-chat.ts";
import { testRedis } from "../../support/redis.ts";
import { type TestMaster, UnitKit } from "../../support/unit-kit.ts";
import { waitFor } from "../../support/wait-for.ts";

let kit: UnitKit;
let chat: FakeChat;

beforeEach(async () => {
  kit = new UnitKit((await testRedis()).url);
});

afterEach(async () => {
  await kit.close();
  await chat.stop();
});

async function pair(ingress: Ingress): Promise<{ leader: TestMaster; other: TestMaster }> {
  chat = await FakeChat.start({ ingress });
  const leader = await kit.master(chat.url);
  await waitFor(() => leader.leader.state === "leader");
  const other = await kit.master(chat.url);
  return { leader, other };
}

const texts = async (): Promise<string[]> => (await kit.stored()).map(({ text }) => text);
const resume = async (): Promise<Record<string, string>> =>
  (await kit.broker()).client.hgetall(kit.keys.resume("fake"));

test.each<Ingress>(["overlap", "shared"])(
  "%s: both masters are connected, what both are told is one Delivery",
  async (ingress) => {
    const { leader, other } = await pair(ingress);
    await waitFor(() => chat.connected.length === 2);
    for (const text of ["1", "2", "3"]) chat.say({ room: "lobby", user: "ann", text });
    await waitFor(async () => (await kit.stored()).length === 3);
    await kit.act({ room: "lobby", text: "heard" });
    await waitFor(() => chat.said("lobby").length === 1);
    await leader.stop();
    await waitFor(() => other.leader.state === "leader");
    await kit.act({ room: "lobby", text: "still here" });
    chat.say({ room: "lobby", user: "ann", text: "4" });
    await waitFor(() => chat.said("lobby").length === 2);
    await waitFor(async () => (await kit.stored()).length === 4);
    expect(await texts()).toEqual(["1", "2", "3", "4"]);
    expect(chat.said("lobby")).toEqual(["heard", "still here"]);
  },
);

test("overlap: a Delivery of an old epoch is stored once, and its resume state is left out", async () => {
  chat = await FakeChat.start({ ingress: "overlap" });
  const { leader } = await kit.master(chat.url, { leaseMs: 6_000 });
  await waitFor(() => leader.state === "leader" && chat.connected.length === 1);
  chat.say({ room: "lobby", user: "ann", text: "1" });
  await waitFor(async () => (await resume())["data"] === '{"seq":1}');
  await (await kit.broker()).client.set(kit.keys.epoch("fake"), "9999999999999");
  chat.say({ room: "lobby", user: "ann", text: "2" });
  await waitFor(async () => (await kit.stored()).length === 2);
  chat.repeat(2);
  chat.say({ room: "lobby", user: "ann", text: "3" });
  await waitFor(async () => (await kit.stored()).length === 3);
  expect(await texts()).toEqual(["1", "2", "3"]);
  expect((await resume())["data"]).toBe('{"seq":1}');
});

test("takeover: a Delivery and resume state of an old epoch are refused, and it asks for no more", async () => {
  chat = await FakeChat.start({ ingress: "takeover" });
  const { leader } = await kit.master(chat.url, { leaseMs: 6_000 });
  await waitFor(() => leader.state === "leader" && chat.connected.length === 1);
  chat.say({ room: "lobby", user: "ann", text: "1" });
  await waitFor(async () => (await resume())["data"] === '{"seq":1}');
  await (await kit.broker()).client.set(kit.keys.epoch("fake"), "9999999999999");
  chat.say({ room: "lobby", user: "ann", text: "2" });
  await waitFor(() => chat.connected.length === 0);
  expect(await texts()).toEqual(["1"]);
  expect((await resume())["data"]).toBe('{"seq":1}');
});

test("takeover: after a stall nothing is said and nobody is evicted under the old epoch, before any timer has fired", async () => {
  let skipMs = 0;
  const clock = { ...systemClock, monotonic: () => performance.now() + skipMs };
  chat = await FakeChat.start({ ingress: "takeover" });
  const master = await kit.master(chat.url, { clock });
  await waitFor(() => chat.connected.length === 1);
  const stale = chat.hellos[0];
  // What was asked for while it stood still is there when it goes on.
  skipMs = 10_000;
  chat.cut();
  await kit.act({ room: "lobby", text: "1" });
  chat.say({ room: "lobby", user: "ann", text: "2" });
  await waitFor(() => chat.said("lobby").length === 1);
  expect(chat.hellos.filter((hello) => hello === stale)).toHaveLength(1);
  expect(chat.posts[0]?.by).not.toBe(stale);
  expect(master.of("leader.lost")).toHaveLength(1);
  await waitFor(async () => (await kit.stored()).length === 1);
});

test("takeover: a leader whom a newer connection evicts comes back while it leads", async () => {
  chat = await FakeChat.start({ ingress: "takeover" });
  await kit.master(chat.url);
  await waitFor(() => chat.connected.length === 1);
  const stranger = new UnitKit((await testRedis()).url);
  const other = await stranger.master(chat.url);
  await waitFor(() => chat.hellos.length === 2);
  await other.stop();
  await stranger.close();
  chat.say({ room: "lobby", user: "ann", text: "1" });
  await waitFor(async () => (await kit.stored()).length === 1);
});

test("a full queue: nothing is acknowledged or skipped, and it resumes by itself", async () => {
  chat = await FakeChat.start();
  await kit.master(chat.url, { limits: { deliveries: 2, bytes: 1_000_000 } });
  for (const text of ["1", "2", "3", "4"]) chat.say({ room: "lobby", user: "ann", text });
  await waitFor(async () => (await kit.stored()).length === 2);
  const until = performance.now() + 300;
  await waitFor(() => performance.now() > until);
  expect(await texts()).toEqual(["1", "2"]);
  expect((await resume())["data"]).toBe('{"seq":2}');
  const { client, keys } = await kit.broker();
  // As if a worker had settled the first two.
  const bodies = `${keys.queue("chat")}:j`;
  await client.hdel(bodies, ...(await client.hkeys(bodies)));
  await waitFor(async () => (await kit.stored()).length === 2 && (await texts())[0] === "3");
  expect(await texts()).toEqual(["3", "4"]);
});
