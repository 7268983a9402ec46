// What becomes of a Message whose routes fail, and of several routes of one Message.

import { describe, expect, test } from "vitest";
import { z } from "zod";
import { defineHandler, discard, done, type Handler, retryLater } from "../../../services/sdk/index.ts";
import { testRedis } from "../../support/redis.ts";
import { type BenchOptions, openBench, type ThreadBench } from "./thread-bench.ts";

async function open(handlers: readonly Handler[], options: Partial<BenchOptions> = {}): Promise<ThreadBench> {
  return openBench({ url: (await testRedis()).url, handlers, ...options });
}

describe("a handler that fails", () => {
  test("chat runs once: the person gets one polite line with an id, the log has the error under it", async () => {
    let runs = 0;
    const bench = await open([
      defineHandler({
        name: "bad",
        routes: (r) => ({
          go: r.command("go", {
            run: async ({ reply, store }) => {
              runs++;
              store.set("x", 1);
              await reply("before");
              throw new Error("the password is hunter2");
            },
          }),
        }),
      }),
    ]);
    const id = await bench.say("!go");
    const [settled] = await bench.drive();
    expect(runs).toBe(1);
    expect(settled).toMatchObject({ kind: "dead", error: "bad.go: Error: the password is hunter2" });
    const [failed] = bench.named("run.failed");
    expect(failed).toMatchObject({ route: "bad.go", origin: id, attempt: 1, next: "dead letter" });
    expect(String(failed?.["error"])).toMatch("hunter2");
    const [before, sorry] = await bench.texts();
    expect(before).toBe("before");
    expect(sorry).toBe(`Sorry, that went wrong. If you report it, name the error ${String(failed?.["errorId"])}.`);
    expect(await bench.dead("chat")).toMatchObject([{ reason: "bad.go: Error: the password is hunter2" }]);
    expect(await bench.client.exists(bench.context.keys.store("bad"))).toBe(0);
  });

  test("with attempts left its key waits, what it said is not said again, and nobody is told before the last", async () => {
    const attempts: number[] = [];
    const keys = new Set<string>();
    const bench = await open([
      defineHandler({
        name: "flaky",
        routes: (r) => ({
          go: r.command("go", {
            attempts: 3,
            run: async ({ reply, attempt, idempotencyKey }) => {
              attempts.push(attempt);
              keys.add(idempotencyKey);
              await reply("working");
              if (attempt < 3) throw new Error("not yet");
              return "worked";
            },
          }),
          other: r.command("other", { run: () => "other" }),
        }),
      }),
    ]);
    await bench.say("!go");
    await bench.say("!other");
    const [first] = await bench.drive();
    expect(first).toMatchObject({ kind: "block", error: "Error: not yet" });
    expect(first?.delayMs).toBeGreaterThanOrEqual(500);
    expect(first?.delayMs).toBeLessThanOrEqual(1000);
    expect(await bench.texts()).toEqual(["working"]);
    bench.offsetMs += 5_000;
    await bench.drive();
    bench.offsetMs += 10_000;
    await bench.drive();
    expect(attempts).toEqual([1, 2, 3]);
    expect(keys.size).toBe(1);
    expect(await bench.texts()).toEqual(["working", "worked", "other"]);
    expect(bench.named("run.failed").map(({ next }) => next)).toEqual([
      expect.stringMatching(/^again in/),
      expect.stringMatching(/^again in/),
    ]);
  });

  test("an effect that fails and that nobody looked at fails the run; one that was looked at does not", async () => {
    const bench = await open([
      defineHandler({
        name: "slip",
        routes: (r) => ({
          forgot: r.command("forgot", { run: ({ send }) => void send("matrix:x", "hello") }),
          looked: r.command("looked", {
            run: async ({ send }) => {
              const sending = send("matrix:x", "hello");
              const said = await sending.then(
                () => "sent",
                () => "not sent",
              );
              return said;
            },
          }),
        }),
      }),
    ]);
    await bench.say("!forgot", { user: "web:a" });
    await bench.say("!looked", { user: "web:b" });
    await bench.drive();
    expect(bench.named("run.failed").map(({ route }) => route)).toEqual(["slip.forgot"]);
    expect(await bench.texts()).toContain("not sent");
  });

  test("an Outcome says it without an error, returned or thrown", async () => {
    const bench = await open([
      defineHandler({
        name: "out",
        routes: (r) => ({
          done: r.command("done", { run: () => done("well") }),
          drop: r.command("drop", {
            run: () => {
              throw discard("not today");
            },
          }),
          later: r.command("later", {
            attempts: 2,
            run: ({ attempt }) => (attempt === 1 ? retryLater("30s") : "now"),
          }),
          never: r.command("never", { run: () => retryLater(5) }),
        }),
      }),
    ]);
    for (const word of ["done", "drop", "later", "never"]) await bench.say(`!${word}`, { user: `web:${word}` });
    const settled = await bench.drive();
    const history = settled.map(({ kind, delayMs, history: line }) => {
      const { notes } = JSON.parse(line) as { notes?: string[] };
      return [kind, delayMs, notes?.[0]];
    });
    expect(history).toEqual([
      ["done", undefined, undefined],
      ["done", undefined, "discarded: not today"],
      ["block", 30_000, "the handler asked to be run later"],
      ["dead", undefined, expect.stringContaining("it was its last attempt")],
    ]);
    expect(bench.named("run.failed").map(({ route }) => route)).toEqual(["out.never"]);
    bench.offsetMs += 31_000;
    await bench.drive();
    expect(await bench.texts()).toContain("now");
  });
});

describe("several routes of one Message", () => {
  test("run one after another, and only the failed one again, later, under the same key and origin", async () => {
    const ran: string[] = [];
    const bench = await open([
      defineHandler({
        name: "many",
        routes: (r) => ({
          first: r.hear(/go/, {
            args: z.object({}),
            run: async ({ reply }) => void (ran.push("first"), await reply("first")),
          }),
          second: r.hear(/go/, {
            args: z.object({}),
            attempts: 3,
            run: async ({ reply, attempt }) => {
              ran.push(`second ${attempt}`);
              await reply("second tries");
              if (attempt < 3) throw new Error("no");
              return "second made it";
            },
          }),
          third: r.hear(/go/, { args: z.object({}), run: () => (ran.push("third"), "third") }),
        }),
      }),
    ]);
    const id = await bench.say("go");
    const [settled] = await bench.drive();
    expect(settled).toMatchObject({ kind: "moved", origin: id });
    expect(settled?.effects.at(-1)).toMatchObject({
      kind: "child",
      queue: "chat",
      delivery: { key: "web:lobby\nweb:ann" },
    });
    expect(ran).toEqual(["first", "second 1", "third"]);
    bench.offsetMs += 5_000;
    const [again] = await bench.drive();
    expect(again).toMatchObject({ kind: "block", origin: id });
    bench.offsetMs += 10_000;
    await bench.drive();
    expect(ran).toEqual(["first", "second 1", "third", "second 2", "second 3"]);
    expect(await bench.texts()).toEqual(["first", "second tries", "third", "second made it"]);
    expect(await bench.depth("chat")).toMatchObject({ stored: 0, dead: 0 });
  });

  test("one that fails for good makes a dead letter; the others are done", async () => {
    const bench = await open([
      defineHandler({
        name: "many",
        routes: (r) => ({
          first: r.hear(/go/, {
            args: z.object({}),
            run: () => {
              throw new Error("no");
            },
          }),
          second: r.hear(/go/, { args: z.object({}), run: () => "second" }),
        }),
      }),
    ]);
    await bench.say("go");
    expect((await bench.drive())[0]).toMatchObject({ kind: "dead", error: "many.first: Error: no" });
    expect(await bench.texts()).toEqual([expect.stringContaining("Sorry"), "second"]);
  });

  test("a route with another ordering key becomes a delivery of its own", async () => {
    const keys: string[] = [];
    const bench = await open([
      defineHandler({
        name: "many",
        routes: (r) => ({
          room: r.hear(/go/, { args: z.object({}), key: "room", run: () => (keys.push("room"), "by room") }),
          own: r.hear(/go/, { args: z.object({}), key: () => "api", run: () => (keys.push("own"), "by api") }),
          plain: r.hear(/go/, { args: z.object({}), run: () => (keys.push("plain"), "by user") }),
        }),
      }),
    ]);
    await bench.say("go");
    const [first, ...children] = await bench.drive();
    expect(first?.effects.filter(({ kind }) => kind === "child")).toMatchObject([
      { delivery: { key: "web:lobby" } },
      { delivery: { key: "api" } },
    ]);
    expect(keys).toEqual(["plain", "room", "own"]);
    expect(children.map(({ kind }) => kind)).toEqual(["done", "done"]);
    expect(await bench.texts()).toEqual(["by user", "by room", "by api"]);
  });
});
