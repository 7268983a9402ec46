// The outbox of a unit as its leader empties it: what goes first, what is too late, what waits for whom, staging.

import { afterEach, beforeEach, expect, test } from "vitest";
import { FakeChat } from "../../support/fake-chat.ts";
import { testRedis } from "../../support/redis.ts";
import { UnitKit } from "../../support/unit-kit.ts";
import { waitFor } from "../../support/wait-for.ts";

let kit: UnitKit;
let chat: FakeChat;

beforeEach(async () => {
  kit = new UnitKit((await testRedis()).url);
  chat = await FakeChat.start();
});

afterEach(async () => {
  await kit.close();
  await chat.stop();
});

const empty = (): Promise<boolean> => waitFor(async () => (await kit.outboxDepth()) === 0, { timeoutMs: 20_000 });
const ANNOUNCEMENT = { class: 2 } as const;
const DAY_MS = 86_400_000;

test("answers go before announcements that waited longer; announcements get their turn", async () => {
  for (let n = 0; n < 100; n++) await kit.act({ room: `news${n}`, text: `${n}` }, ANNOUNCEMENT);
  for (let n = 0; n < 10; n++) await kit.act({ room: `people${n}`, text: `answer ${n}` });
  chat.faults.delayMs = 20;
  await kit.master(chat.url);
  await empty();
  const first = chat.posts.slice(0, 32).map(({ room }) => room.replace(/\d+/, ""));
  expect(first.filter((room) => room === "people")).toHaveLength(10);
  expect(chat.posts).toHaveLength(110);
});

test("where people never stop asking an announcement is said too", async () => {
  for (let n = 0; n < 400; n++) await kit.act({ room: `people${n}`, text: `answer ${n}` });
  await kit.act({ room: "news", text: "a release" }, ANNOUNCEMENT);
  chat.faults.delayMs = 5;
  await kit.master(chat.url);
  await waitFor(() => chat.said("news").length === 1, { timeoutMs: 20_000 });
  expect(await kit.outboxDepth()).toBeGreaterThan(0);
});

test("a limit of one kind of Action parks the rooms that wait for it, and no others", async () => {
  await kit.master(chat.url);
  const ref = await kit.act({ room: "a", text: "1" });
  await empty();
  chat.faults.limited.set("a", { retryAfterMs: 60_000, scope: "op:react" });
  await kit.act({ room: "a", op: "react", ref, emoji: "+1" });
  await waitFor(() => chat.attempts.length === 2);
  chat.faults.limited.clear();
  await kit.act({ room: "b", op: "react", messageId: "m1", emoji: "+1" });
  await kit.act({ room: "b", text: "behind it" });
  await kit.act({ room: "c", text: "2" });
  await waitFor(() => chat.said("c").length === 1);
  expect(chat.attempts).toHaveLength(3);
  expect(chat.said("b")).toEqual([]);
});

test("what has a time of its own is not said after it, and nobody calls that a failure", async () => {
  const master = await kit.master(chat.url, { clockOffsetMs: () => 600_000 });
  await kit.act({ room: "a", text: "too late", ttl: 300_000 });
  await kit.act({ room: "a", text: "in time", ttl: 900_000 });
  await kit.act({ room: "b", text: "after its date", notAfter: Date.now() });
  await kit.act({ room: "b", text: "before its date", notAfter: Date.now() + DAY_MS });
  await empty();
  expect([chat.said("a"), chat.said("b")]).toEqual([["in time"], ["before its date"]]);
  expect(await kit.dead()).toEqual([]);
  expect(master.of("action.expired")).toMatchObject([{ action: "a1" }, { action: "a3" }]);
});

test("what could not be said for a day is a dead letter", async () => {
  await kit.act({ room: "a", text: "old" });
  await kit.act({ room: "a", text: "for two days", ttl: 2 * DAY_MS });
  const master = await kit.master(chat.url, { clockOffsetMs: () => DAY_MS + 60_000 });
  await waitFor(() => chat.said("a").length > 0);
  expect(chat.said("a")).toEqual(["for two days"]);
  expect(await kit.dead()).toEqual(["it could not be said within a day"]);
  expect(master.of("action.expired")).toHaveLength(1);
});

test("a wait for the service longer than the time expires it too", async () => {
  await chat.goAway();
  let skewMs = 0;
  const master = await kit.master(chat.url, { clockOffsetMs: () => skewMs });
  await kit.act({ room: "a", text: "1", ttl: 60_000 });
  await kit.act({ room: "a", text: "2" });
  await waitFor(() => master.of("adapter.state").some(({ state }) => state === "degraded"));
  skewMs = 120_000;
  await chat.comeBack();
  await empty();
  expect(chat.said("a")).toEqual(["2"]);
});

test("outbox.redirect: a leader speaks in that room alone, whatever lies in the outbox", async () => {
  await kit.act({ room: "real", text: "1" });
  await kit.act({ room: "staging", text: "[fake:real] 2" });
  await kit.master(chat.url, { only: "fake:staging" });
  await waitFor(async () => chat.posts.length > 0 && (await kit.dead()).length > 0);
  expect(chat.posts.map(({ room, text }) => `${room} ${text}`)).toEqual(["staging [fake:real] 2"]);
  expect(await kit.dead()).toEqual(["ANTIPHON_OUTBOX_REDIRECT allows only fake:staging"]);
});
