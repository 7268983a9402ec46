import { afterEach, beforeEach, expect, test } from "vitest";
import { eachServer } from "../../support/redis.ts";
import { FakeChat } from "../../support/fake-chat.ts";
import { UnitKit } from "../../support/unit-kit.ts";
import { waitFor } from "../../support/wait-for.ts";

eachServer((_name, getUrl) => {
  let kit: UnitKit;
  let chat: FakeChat;

  beforeEach(async () => {
    kit = new UnitKit(getUrl());
    chat = await FakeChat.start();
  });

  afterEach(async () => {
    await kit.close();
    await chat.stop();
  });

  test("a message becomes one Delivery, an Action in the outbox is said once", async () => {
    await kit.master(chat.url);
    chat.say({ room: "lobby", user: "ann", text: "antiphon ping" });
    await waitFor(async () => (await kit.stored()).length === 1);
    const user = { id: "fake:ann", name: "ann" };
    expect(await kit.stored()).toEqual([
      { id: "e1", text: "antiphon ping", room: "fake:lobby", user, addressed: false },
    ]);
    await kit.act({ room: "lobby", text: "pong" });
    await waitFor(() => chat.said("lobby").length > 0);
    await waitFor(async () => (await kit.outboxDepth()) === 0);
    expect(chat.said("lobby")).toEqual(["pong"]);
    expect(await kit.stored()).toHaveLength(1);
  });

  test("what was said before anybody connected, and while nobody was, is stored in order and once", async () => {
    for (const text of ["1", "2", "3"]) chat.say({ room: "lobby", user: "ann", text });
    const first = await kit.master(chat.url);
    await waitFor(async () => (await kit.stored()).length === 3);
    await first.stop();
    for (const text of ["4", "5"]) chat.say({ room: "lobby", user: "ann", text });
    await kit.master(chat.url);
    await waitFor(async () => (await kit.stored()).length === 5);
    expect((await kit.stored()).map(({ text }) => text)).toEqual(["1", "2", "3", "4", "5"]);
  });

  test("the cursor is stored with the event: a new leader is not told again what is stored", async () => {
    const first = await kit.master(chat.url);
    chat.say({ room: "lobby", user: "ann", text: "1" });
    await waitFor(async () => (await kit.stored()).length === 1);
    const resume = await (await kit.broker()).client.hgetall(kit.keys.resume("fake"));
    expect(JSON.parse(resume["data"] ?? "")).toEqual({ seq: 1 });
    expect(resume["epoch"]).toBe(await (await kit.broker()).client.get(kit.keys.epoch("fake")));
    await first.stop();
  });

  test("an event that the service tells twice is one Delivery", async () => {
    await kit.master(chat.url);
    chat.say({ room: "lobby", user: "ann", text: "1" });
    await waitFor(async () => (await kit.stored()).length === 1);
    chat.repeat(1);
    chat.say({ room: "lobby", user: "ann", text: "2" });
    await waitFor(async () => (await kit.stored()).length === 2);
    expect((await kit.stored()).map(({ text }) => text)).toEqual(["1", "2"]);
  });

  test("the bot's own words and unknown events are no Deliveries, yet the cursor goes on", async () => {
    const { stop } = await kit.master(chat.url);
    await kit.act({ room: "lobby", text: "hello" });
    await waitFor(() => chat.said("lobby").length === 1);
    chat.happen({ type: "wave", room: "lobby" });
    chat.say({ room: "lobby", user: "ann", text: "hi" });
    await waitFor(async () => (await kit.stored()).length === 1);
    await stop();
    const resume = await (await kit.broker()).client.hgetall(kit.keys.resume("fake"));
    expect(JSON.parse(resume["data"] ?? "")).toEqual({ seq: 3 });
  });

  test("a mention and a private room address the bot", async () => {
    await kit.master(chat.url);
    chat.say({ room: "lobby", user: "ann", text: "you there?", mention: true });
    chat.happen({ type: "said", room: "ann", kind: "dm", user: { id: "ann", name: "Ann" }, text: "psst" });
    await waitFor(async () => (await kit.stored()).length === 2);
    expect((await kit.stored()).map(({ addressed }) => addressed)).toEqual([true, true]);
  });

  test("messages are ordered per person in a room, or per room where the adapter is set so", async () => {
    const keysOf = async (): Promise<string[]> => {
      const { client, keys } = await kit.broker();
      const prefix = `${keys.queue("chat")}:k:`;
      return (await client.keys("*")).filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
    };
    const first = await kit.master(chat.url);
    chat.say({ room: "lobby", user: "ann", text: "1" });
    await waitFor(async () => (await kit.stored()).length === 1);
    expect(await keysOf()).toEqual(["fake:lobby\nfake:ann"]);
    await first.stop();
    await kit.master(chat.url, { settings: { order: "room" } });
    chat.say({ room: "ops", user: "ann", text: "2" });
    await waitFor(async () => (await kit.stored()).length === 2);
    expect((await keysOf()).sort()).toEqual(["fake:lobby\nfake:ann", "fake:ops"]);
  });

  test("of two masters one is connected, and a handover moves the connection", async () => {
    const first = await kit.master(chat.url);
    await waitFor(() => chat.connected.length === 1);
    const second = await kit.master(chat.url);
    await kit.act({ room: "lobby", text: "1" });
    await waitFor(() => chat.said("lobby").length === 1);
    expect(chat.hellos).toHaveLength(1);
    expect(second.leader.state).not.toBe("leader");
    await first.stop();
    await waitFor(() => chat.hellos.length === 2);
    await kit.act({ room: "lobby", text: "2" });
    await waitFor(() => chat.said("lobby").length === 2);
    expect(chat.said("lobby")).toEqual(["1", "2"]);
    expect(new Set(chat.posts.map(({ by }) => by)).size).toBe(2);
  });

  test("a handover with Actions in flight loses none and doubles none", async () => {
    const first = await kit.master(chat.url);
    chat.faults.delayMs = 30;
    const rooms = ["a", "b", "c", "d"];
    const texts = Array.from({ length: 40 }, (_, n) => ({ room: rooms[n % 4] as string, text: `${n}` }));
    for (const action of texts) await kit.act(action);
    await waitFor(() => chat.posts.length > 4);
    await kit.master(chat.url);
    await first.stop();
    await waitFor(async () => (await kit.outboxDepth()) === 0, { timeoutMs: 15_000 });
    for (const room of rooms) {
      expect(chat.said(room)).toEqual(texts.filter((action) => action.room === room).map((action) => action.text));
    }
  });

  test("an edit finds the message that its ref became, also from another master", async () => {
    const first = await kit.master(chat.url);
    const ref = await kit.act({ room: "lobby", text: "working" });
    await kit.act({ room: "lobby", op: "edit", ref, text: "done" });
    await waitFor(() => chat.said("lobby")[0] === "done");
    await first.stop();
    await kit.master(chat.url);
    await kit.act({ room: "lobby", op: "edit", ref, text: "done twice" });
    await kit.act({ room: "lobby", op: "react", ref, emoji: "+1" });
    await waitFor(() => chat.posts[0]?.reactions.length === 1);
    expect(chat.posts).toHaveLength(1);
    expect(chat.posts[0]).toMatchObject({ edits: ["done", "done twice"], reactions: ["+1"] });
  });

  test("an edit of what was never said is a dead letter, and the room goes on", async () => {
    await kit.master(chat.url);
    await kit.act({ room: "lobby", op: "edit", ref: "nothing", text: "x" });
    await kit.act({ room: "lobby", text: "next" });
    await waitFor(() => chat.said("lobby").length === 1);
    expect(await kit.dead()).toEqual(["what it refers to was never said, or too long ago"]);
  });

  test("a body above the inline limit is said whole", async () => {
    await kit.master(chat.url);
    const text = "x".repeat(10_000);
    await kit.act({ room: "lobby", text });
    await waitFor(() => chat.said("lobby").length === 1);
    expect(chat.said("lobby")).toEqual([text]);
  });

  test("a room that is refused for a while waits; other rooms go on; its order is kept", async () => {
    await kit.master(chat.url);
    chat.faults.limited.set("slow", { retryAfterMs: 300 });
    for (const text of ["1", "2", "3"]) await kit.act({ room: "slow", text });
    await waitFor(() => chat.attempts.length === 1);
    for (const text of ["1", "2", "3"]) await kit.act({ room: "fast", text });
    await waitFor(() => chat.said("fast").length === 3);
    expect(chat.said("slow")).toEqual([]);
    expect(chat.attempts.filter(({ action }) => action.room === "slow")).toHaveLength(1);
    chat.faults.limited.clear();
    await waitFor(() => chat.said("slow").length === 3);
    expect(chat.said("slow")).toEqual(["1", "2", "3"]);
  });

  test("a refusal that names a bucket of all rooms stops all of them, without asking for each", async () => {
    await kit.master(chat.url);
    chat.faults.limited.set("a", { retryAfterMs: 400, scope: "all" });
    await kit.act({ room: "a", text: "1" });
    await waitFor(() => chat.attempts.length === 1);
    for (const room of ["b", "c"]) await kit.act({ room, text: "1" });
    chat.faults.limited.clear();
    const refusedAt = chat.attempts[0]?.at ?? 0;
    await waitFor(() => chat.posts.length === 3);
    for (const { at } of chat.attempts.slice(1)) expect(at - refusedAt).toBeGreaterThanOrEqual(350);
    expect(chat.attempts).toHaveLength(4);
  });

  test("rooms keep their order at the service's pace", async () => {
    await kit.master(chat.url);
    const texts = Array.from({ length: 80 }, (_, n) => `${n}`);
    await Promise.all(texts.map((text) => kit.act({ room: "busy", text })));
    await waitFor(() => chat.said("busy").length === 80, { timeoutMs: 15_000 });
    expect(chat.said("busy")).toEqual(texts);
    expect(chat.attempts).toHaveLength(80);
  });

  test("a service that is gone: the words wait, and are said when it is back", async () => {
    const { of } = await kit.master(chat.url);
    await waitFor(() => chat.connected.length === 1);
    await chat.goAway();
    await waitFor(() => of("adapter.state").some(({ state }) => state === "degraded"));
    await kit.act({ room: "lobby", text: "1" });
    await kit.act({ room: "lobby", text: "2" });
    await chat.comeBack();
    await waitFor(() => chat.said("lobby").length === 2, { timeoutMs: 10_000 });
    expect(chat.said("lobby")).toEqual(["1", "2"]);
  });

  test("a connection cut before anything was done: said once", async () => {
    await kit.master(chat.url);
    chat.faults.cutBeforeDoing = 1;
    await kit.act({ room: "lobby", text: "1" });
    await kit.act({ room: "lobby", text: "2" });
    await waitFor(() => chat.said("lobby").length === 2, { timeoutMs: 10_000 });
    expect(chat.said("lobby")).toEqual(["1", "2"]);
  });

  test("a connection cut between doing and answering: said once under a key", async () => {
    await kit.master(chat.url);
    chat.faults.cutAfterDoing = 1;
    await kit.act({ room: "lobby", text: "1" });
    await kit.act({ room: "lobby", text: "2" });
    await waitFor(() => chat.said("lobby").length === 2, { timeoutMs: 10_000 });
    await waitFor(async () => (await kit.outboxDepth()) === 0);
    expect(chat.said("lobby")).toEqual(["1", "2"]);
    expect(chat.attempts.length).toBeGreaterThan(2);
  });

  test("an Action of a stale epoch is refused, and so is a Delivery", async () => {
    const first = await kit.master(chat.url);
    await waitFor(() => chat.connected.length === 1);
    const { client } = await kit.broker();
    // Another leads, though nobody has told this one.
    await client.set(kit.keys.epoch("fake"), "9999999999999");
    chat.say({ room: "lobby", user: "ann", text: "late" });
    await kit.act({ room: "lobby", text: "late" });
    await waitFor(() => first.of("loop.failed").some(({ error }) => (error as { code?: string }).code === "FENCED"));
    expect(await kit.stored()).toEqual([]);
    expect(chat.said("lobby")).toEqual([]);
  });
});
