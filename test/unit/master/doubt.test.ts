import { afterEach, beforeEach, expect, test } from "vitest";
import type { Idempotency } from "../../../services/sdk/adapter.ts";
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

const results = (master: TestMaster): string[] => master.of("action.in-doubt").map(({ result }) => result);

/** A leader that says "1", gets no answer, and is gone before it knows; then another leads. */
async function leaderGoneWhileSaying(idempotency: Idempotency, settings = {}): Promise<TestMaster> {
  chat = await FakeChat.start({ idempotency });
  const first = await kit.master(chat.url, { settings });
  chat.faults.silentAfterDoing = 1;
  for (const text of ["1", "2"]) await kit.act({ room: "lobby", text });
  await kit.act({ room: "ops", text: "3" });
  await waitFor(() => chat.said("lobby").length === 1 && chat.said("ops").length === 1);
  await first.stop();
  const second = await kit.master(chat.url, { settings });
  await waitFor(async () => (await kit.outboxDepth()) === 0, { timeoutMs: 10_000 });
  return second;
}

test("an Action in doubt is repeated under its key, and said once", async () => {
  const second = await leaderGoneWhileSaying("key");
  expect(chat.said("lobby")).toEqual(["1", "2"]);
  expect(chat.said("ops")).toEqual(["3"]);
  expect(results(second)).toEqual(["repeated under its key"]);
});

test("an Action in doubt is asked for, found, and not said again", async () => {
  const second = await leaderGoneWhileSaying("reconcile");
  expect(chat.said("lobby")).toEqual(["1", "2"]);
  expect(results(second)).toEqual(["found"]);
});

test("what was found can be edited", async () => {
  await leaderGoneWhileSaying("reconcile");
  await kit.act({ room: "lobby", op: "edit", ref: "a1", text: "one" });
  await waitFor(() => chat.said("lobby")[0] === "one");
});

test("without a key and without a way to ask it is said again, and counted", async () => {
  const second = await leaderGoneWhileSaying("none");
  expect(chat.said("lobby")).toEqual(["1", "1", "2"]);
  expect(chat.said("ops")).toEqual(["3"]);
  expect(results(second)).toEqual(["said again"]);
});

test("where the adapter is set to drop, it is not said again, and counted", async () => {
  const second = await leaderGoneWhileSaying("none", { inDoubt: "drop" });
  expect(chat.said("lobby")).toEqual(["1", "2"]);
  expect(results(second)).toEqual(["dropped"]);
});

test("the Action's own word about doubt goes before the adapter's", async () => {
  chat = await FakeChat.start({ idempotency: "none" });
  const first = await kit.master(chat.url);
  chat.faults.silentAfterDoing = 1;
  await kit.act({ room: "lobby", text: "1", inDoubt: "drop" });
  await waitFor(() => chat.said("lobby").length === 1);
  await first.stop();
  const second = await kit.master(chat.url);
  await waitFor(async () => (await kit.outboxDepth()) === 0);
  expect(chat.said("lobby")).toEqual(["1"]);
  expect(results(second)).toEqual(["dropped"]);
});

test("doubt outlives a leader that could not clear it", async () => {
  chat = await FakeChat.start({ idempotency: "reconcile" });
  const first = await kit.master(chat.url);
  chat.faults.silentAfterDoing = 1;
  await kit.act({ room: "lobby", text: "1" });
  await waitFor(() => chat.said("lobby").length === 1);
  await first.stop();
  await chat.goAway();
  const second = await kit.master(chat.url);
  await waitFor(() => second.of("adapter.state").some(({ state }) => state === "degraded"));
  await second.stop();
  await chat.comeBack();
  const third = await kit.master(chat.url);
  await waitFor(async () => (await kit.outboxDepth()) === 0);
  expect(chat.said("lobby")).toEqual(["1"]);
  expect(results(third)).toEqual(["found"]);
});

test("a connection cut between doing and answering: asked for where that is possible", async () => {
  chat = await FakeChat.start({ idempotency: "reconcile" });
  const master = await kit.master(chat.url);
  chat.faults.cutAfterDoing = 1;
  for (const text of ["1", "2"]) await kit.act({ room: "lobby", text });
  await waitFor(async () => (await kit.outboxDepth()) === 0, { timeoutMs: 10_000 });
  expect(chat.said("lobby")).toEqual(["1", "2"]);
  expect(results(master)).toEqual(["found"]);
});

test("an Action whose every attempt stays unclear becomes a dead letter, and its room goes on", async () => {
  chat = await FakeChat.start({ idempotency: "none" });
  await kit.master(chat.url);
  chat.faults.cutAfterDoing = 3;
  await kit.act({ room: "lobby", text: "1" });
  await kit.act({ room: "lobby", text: "2" });
  await waitFor(() => chat.said("lobby").includes("2"), { timeoutMs: 15_000 });
  expect(await kit.dead()).toEqual(["each attempt stayed unclear"]);
});

test("reactions and edits in doubt are simply done again", async () => {
  chat = await FakeChat.start({ idempotency: "none" });
  const first = await kit.master(chat.url);
  const ref = await kit.act({ room: "lobby", text: "1" });
  await waitFor(async () => (await kit.outboxDepth()) === 0);
  chat.faults.silentAfterDoing = 1;
  await kit.act({ room: "lobby", op: "edit", ref, text: "2" });
  await waitFor(() => chat.said("lobby")[0] === "2");
  await first.stop();
  const second = await kit.master(chat.url);
  await waitFor(async () => (await kit.outboxDepth()) === 0);
  expect(chat.posts).toHaveLength(1);
  expect(results(second)).toEqual([]);
});
