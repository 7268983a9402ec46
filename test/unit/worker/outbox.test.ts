// What workers put into outboxes: what goes first, what is not said too late, what a newer edit makes needless, staging.

import { afterEach, expect, test } from "vitest";
import { defineHandler, job } from "../../../services/sdk/index.ts";
import type { ChatCtx } from "../../../services/sdk/context.ts";
import { Rooms } from "../../../services/worker/rooms.ts";
import { testRedis } from "../../support/redis.ts";
import { type BenchOptions, ThreadBench } from "./thread-bench.ts";

let bench: ThreadBench;
afterEach(() => bench.close());

const anything = { "~standard": { version: 1, vendor: "t", validate: (value: unknown) => ({ value }) } } as const;
const announce = job("talk.announce", anything);
const OPS = "irc/libera:#ops";

async function open(run: (ctx: ChatCtx) => unknown, more: Partial<BenchOptions> = {}): Promise<void> {
  const talk = defineHandler({
    name: "talk",
    routes: (r) => ({
      go: r.command("go", { run: async (ctx) => void (await run(ctx)) }),
      announce: r.job(announce, { run: async ({ send }) => void (await send(OPS, "a release")) }),
    }),
  });
  bench = await ThreadBench.open({ url: (await testRedis()).url, handlers: [talk], ...more });
}

const outbox = async (unit: string): Promise<Record<string, unknown>[]> =>
  (await bench.waiting(`outbox/${unit}`)) as Record<string, unknown>[];

/** Class and text of what waits, as a leader takes it. */
async function taken(unit: string): Promise<[number, string][]> {
  const claims = await bench.claims(`outbox/${unit}`);
  const { runs } = await claims.take({ slots: 8, run: 4, order: "0123" });
  return runs.flat().map(({ element, body }) => [element.class, (JSON.parse(String(body)) as { text: string }).text]);
}

test("what answers a person goes before what is announced, though it came later", async () => {
  await open(({ send }) => send("irc/libera:#help", "an answer"));
  await bench.add("default", { kind: "job", route: "talk.announce" }, { payload: "{}" });
  await bench.drive();
  await bench.say("!go");
  await bench.drive();
  expect(await taken("irc/libera")).toEqual([
    [1, "an answer"],
    [2, "a release"],
  ]);
});

test("when words expire and what becomes of doubt travels with the Action", async () => {
  const at = new Date(2_000_000_000_000);
  await open(async ({ send, reply }) => {
    await send(OPS, "1", { expires: "5m", inDoubt: "drop" });
    await reply("2", { expires: at });
    await expect(send(OPS, "3", { expires: "soon" as "1m" })).rejects.toThrow("a duration");
    await expect(send(OPS, "3", { inDoubt: "maybe" as "drop" })).rejects.toThrow("inDoubt");
  });
  await bench.say("!go", { room: OPS, user: "irc/libera:ann" });
  expect((await bench.drive())[0]).toMatchObject({ kind: "done" });
  expect(await outbox("irc/libera")).toMatchObject([
    { text: "1", ttl: 300_000, inDoubt: "drop" },
    { text: "2", notAfter: at.getTime() },
  ]);
});

test("an edit that waits takes the words of a newer one of the same ref; one that is taken does not", async () => {
  await open(async ({ send, edit }) => {
    const one = await send("slack:C1", "one");
    const two = await send("slack:C1", "two");
    for (const percent of ["10 %", "50 %", "90 %"]) await edit(one.ref, percent);
    await edit(two.ref, "else");
    expect((await outbox("slack")).map(({ text }) => text)).toEqual(["one", "two", "90 %", "else"]);
    expect(await taken("slack")).toHaveLength(4);
    await edit(one.ref, "100 %");
    await edit(one.ref, "done");
  });
  await bench.say("!go");
  expect((await bench.drive())[0]).toMatchObject({ kind: "done" });
  expect((await outbox("slack")).map(({ text }) => text)).toEqual(["one", "two", "90 %", "else", "done"]);
});

test("outbox.redirect: everything goes to that room, labelled with its real place", async () => {
  await open(
    async ({ send, edit, react, topic, join, reply, message }) => {
      const { ref } = await send(OPS, "hello");
      await edit(ref, "hello there");
      await react(ref.replace(OPS, "slack:C9"), "eyes");
      await topic(OPS, "calm");
      await join("irc/libera:#new");
      await reply("psst", { private: true });
      await send("slack:staging", "as it is");
      await react({ ...message, room: "slack:C1" }, "+1");
    },
    { redirect: "slack:staging", adapters: ALL },
  );
  await bench.say("!go", { user: "web:ann", room: "web:lobby" });
  expect((await bench.drive())[0]).toMatchObject({ kind: "done" });
  expect(await outbox("irc/libera")).toEqual([]);
  expect(await bench.lines()).toEqual([]);
  const said = await outbox("slack");
  expect(new Set(said.map(({ unit, room }) => `${String(unit)}:${String(room)}`))).toEqual(new Set(["slack:staging"]));
  expect(said.map(({ op, text }) => `${String(op)}: ${String(text)}`)).toEqual([
    "send: [irc/libera:#ops] hello",
    "edit: [irc/libera:#ops] hello there",
    "send: [slack:C9] (reacts) eyes",
    "send: [irc/libera:#ops] (topic) calm",
    "send: [irc/libera:#new] (joins)",
    "send: [web:lobby] (to ann alone) psst",
    "send: as it is",
    "send: [slack:C1] (reacts) +1",
  ]);
  expect(said[1]?.["ref"]).toBe(said[0]?.["id"]);
});

const ALL = [
  { name: "web", can: ["edit"] },
  { name: "irc", can: ["topic", "join", "edit"] },
  { name: "slack", can: ["thread", "edit", "react", "topic", "join"] },
] as const;

test("where the room of outbox.redirect cannot edit, an edit is said", async () => {
  await open(
    async ({ send, edit }) => {
      const { ref } = await send("slack:C1", "half");
      await edit(ref, "whole");
    },
    { redirect: OPS },
  );
  await bench.say("!go");
  await bench.drive();
  expect((await outbox("irc/libera")).map(({ op, text }) => `${String(op)}: ${String(text)}`)).toEqual([
    "send: [slack:C1] half",
    "send: [slack:C1] (edited) whole",
  ]);
});

test("a redirect to a room that no adapter has stops the start", async () => {
  await open(() => {});
  expect(() => new Rooms(ALL, "matrix:x")).toThrow("matrix:x");
});
