import { beforeEach, expect, test, vi } from "vitest";
import { matchers, testBot } from "../../../services/testing/bot.ts";
import { waitFor } from "../../support/wait-for.ts";
import { clockwork, journal, lab } from "./lab.ts";

expect.extend(matchers);
beforeEach(() => void journal.splice(0));

test("a person is answered in the room where they spoke", async () => {
  await using bot = await testBot({ handlers: [lab] });
  const ann = bot.user("ann");
  await ann.in("web:ops").command("echo hello there");
  await bot.settled();
  await ann.in("web:ops").say("nothing for the bot");
  await ann.in("web:lobby").say("!echo and here");
  await bot.settled();
  expect(bot.room("web:ops").lines.map(({ from, text }) => `${from}: ${text}`)).toEqual([
    "ann: antiphon echo hello there",
    "antiphon: hello there",
    "ann: nothing for the bot",
  ]);
  expect(bot.room("web:lobby").replies).toEqual(["and here"]);
  expect(bot.replies).toEqual(["hello there", "and here"]);
});

test("handlers run in the test's own thread, set up once however many workers there are", async () => {
  const bot = await testBot({ handlers: [lab], workers: 3 });
  await bot.user("ann").in("web:ops").command("count sheep");
  await bot.settled();
  await bot.stop();
  expect(journal).toEqual(["setup", "count sheep", "finally sheep", "counting sheep, attempt 1", "teardown"]);
});

test("an edit keeps its line's place, and what it said before counts as said", async () => {
  await using bot = await testBot({ handlers: [lab] });
  await bot.user("ann").in("web:ops").command("grow");
  await bot.settled();
  const [, line] = bot.room("web:ops").lines;
  expect(line).toMatchObject({ text: "aaa", edits: ["a", "aa"], isBot: true });
  expect(bot.room("web:ops")).toHaveSaid("aa");
  expect(bot.room("web:ops")).toHaveSaid(/^a{3}$/);
  expect(bot.room("web:ops")).not.toHaveSaid("antiphon grow");
  expect(() => expect(bot.room("web:ops")).toHaveSaid("b")).toThrow('to have said "b" in web:ops; it said:\n  aaa');
});

test("where there are no threads, a thread is what followed", async () => {
  await using bot = await testBot({ handlers: [lab] });
  const ann = bot.user("ann").in("web:ops");
  for (const text of ["echo one", "thread", "echo three"]) {
    await ann.command(text);
    await bot.settled();
  }
  expect(bot.room("web:ops").thread(1).replies).toEqual(["below"]);
  expect(bot.room("web:ops").thread(2).replies).toEqual(["three"]);
  expect(bot.room("web:ops").thread(3).lines).toEqual([]);
});

test("a job runs and its event is heard, all of it before the bot has settled", async () => {
  await using bot = await testBot({ handlers: [lab], config: { lab: { room: "web:ops" } } });
  const ann = bot.user("ann").in("web:ops");
  await ann.command("count sheep");
  await ann.command("count sheep");
  await bot.settled();
  expect(bot.replies.filter((text) => text.startsWith("sheep"))).toEqual(["sheep: 1", "sheep: 2"]);
  expect(bot.logs.map(({ text, fields }) => [text, fields])).toEqual([
    ["counted", { name: "sheep", next: 1 }],
    ["counted", { name: "sheep", next: 2 }],
  ]);
});

test("another chat service: its rooms, threads, edits and reactions, through a Lease and an outbox", async () => {
  await using bot = await testBot({ handlers: [lab], adapters: ["web", "matrix/home"] });
  const ann = bot.user("ann").in("matrix/home:#ops");
  await ann.command("grow");
  await bot.settled();
  await ann.command("thread");
  await ann.say("cake for all");
  await ann.command("whisper");
  await bot.settled();
  const room = bot.room("matrix/home:#ops");
  // "aa" may have waited for its turn, and then "aaa" has taken its place.
  expect(room.lines[1]).toMatchObject({ from: "antiphon", text: "aaa" });
  expect(room.lines[1]?.edits[0]).toBe("a");
  expect(room.thread(1).replies).toEqual(["below"]);
  expect(room.lines.find(({ text }) => text === "I like it")?.reactions).toEqual(["heart"]);
  expect(room.lines.find(({ text }) => text === "psst")?.to).toBe("ann");
});

test("groups: open ones are joined, fixed ones are not, unknown ones are a mistake", async () => {
  await using bot = await testBot({ handlers: [lab], admins: ["ida"] });
  await bot.user("ann").in("web:ops").command("secret");
  await bot.settled();
  await bot
    .user("bob", { groups: ["keepers"] })
    .in("web:ops")
    .command("secret");
  await bot.settled();
  await bot.user("ida").in("web:ops").command("secret");
  await bot.settled();
  expect(bot.replies).toEqual(["Sorry, that is only for keepers.", "42", "42"]);
  expect(() => bot.user("ann", { groups: ["cooks"] })).toThrow('"cooks" is none of the groups: keepers');
});

test("declared groups are the only ones, as in production", async () => {
  await expect(testBot({ handlers: [lab], groups: { cooks: [] } })).rejects.toThrow(
    'the group "keepers" is not declared',
  );
  await using bot = await testBot({ handlers: [lab], groups: { keepers: ["ann"] } });
  await bot
    .user("ann", { groups: ["keepers"] })
    .in("web:ops")
    .command("secret");
  await bot.settled();
  expect(bot.replies).toEqual(["42"]);
  expect(() => bot.user("bob", { groups: ["keepers"] })).toThrow("bob is none of them");
});

test("what would stop the start of a worker stops the test", async () => {
  await expect(testBot({ handlers: [lab, lab] })).rejects.toThrow('the handler "lab" is also defined in handlers[0]');
  await expect(testBot({ handlers: [lab], config: { lab: { room: 7 } } })).rejects.toThrow(
    "settings handlers.lab: room",
  );
});

test("a room that the bot is not in is a mistake of the test", async () => {
  await using bot = await testBot({ handlers: [lab] });
  expect(() => bot.user("ann").in("irc/libera:#ops")).toThrow('"irc/libera:#ops" is no room of web');
});

test("bots of one process do not hear each other", async () => {
  const bots = await Promise.all([testBot({ handlers: [lab] }), testBot({ handlers: [lab], name: "robin" })]);
  const [one, two] = bots;
  await one.user("ann").in("web:ops").command("echo one");
  await two.user("ann").in("web:ops").command("echo two");
  await Promise.all(bots.map((bot) => bot.settled()));
  expect([one.replies, two.replies]).toEqual([["one"], ["two"]]);
  await Promise.all(bots.map((bot) => bot.stop()));
});

test("what is delayed comes due when the clock says so", async () => {
  await using bot = await testBot({ handlers: [lab] });
  await bot.user("ann").in("web:ops").command("later sheep");
  await bot.settled();
  await bot.clock.advance("59m");
  expect(journal).toEqual(["setup"]);
  await bot.clock.advance("1m");
  expect(journal).toEqual(["setup", "counting sheep, attempt 1"]);
});

test("time goes by from one thing that comes due to the next", async () => {
  await using bot = await testBot({ handlers: [clockwork] });
  await bot.clock.advance("1d");
  expect(bot.room("web:lobby").replies.toSorted()).toEqual(["cuckoo", "cuckoo", "cuckoo", "cuckoo", "good morning"]);
});

test("a handler can be given this clock's date", async () => {
  await using bot = await testBot({ handlers: [lab, clockwork] });
  await bot.clock.advance("36h");
  const today = bot.clock.now().toISOString().slice(0, 10);
  expect(today > new Date().toISOString().slice(0, 10)).toBe(true);
  vi.setSystemTime(bot.clock.now());
  try {
    await bot.user("ann").in("web:ops").command("today");
    await bot.settled();
    await bot.clock.advance("6h");
  } finally {
    vi.useRealTimers();
  }
  expect(bot.room("web:ops").replies).toEqual([today]);
  expect(bot.room("web:lobby").replies.filter((text) => text === "cuckoo")).toHaveLength(7);
});

test("a route's timeout is a time of this clock", async () => {
  await using bot = await testBot({ handlers: [lab] });
  bot.expectFailure("lab.slow");
  await bot.user("ann").in("web:ops").command("slow");
  await waitFor(() => bot.running.length > 0);
  await bot.clock.advance("11s");
  await bot.settled();
  expect(bot.failures).toMatchObject([{ route: "lab.slow", text: expect.stringContaining("time") }]);
});
