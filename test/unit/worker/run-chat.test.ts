// What becomes of a Message in a handler thread: replies, matching, arguments, permission.

import { describe, expect, test } from "vitest";
import { z } from "zod";
import { defineHandler, type Handler } from "../../../services/sdk/index.ts";
import { testRedis } from "../../support/redis.ts";
import { type BenchOptions, openBench, type ThreadBench } from "./thread-bench.ts";

async function open(handlers: readonly Handler[], options: Partial<BenchOptions> = {}): Promise<ThreadBench> {
  return openBench({ url: (await testRedis()).url, handlers, ...options });
}

describe("what is said", () => {
  test("a returned text, an awaited reply and one that was not awaited are all said, in order", async () => {
    const bench = await open([
      defineHandler({
        name: "talk",
        routes: (r) => ({
          go: r.command("go", {
            run: async ({ reply }) => {
              await reply("one");
              void reply("two");
              return "three";
            },
          }),
        }),
      }),
    ]);
    await bench.say("antiphon go");
    const [settled] = await bench.drive();
    expect(settled?.kind).toBe("done");
    const lines = await bench.lines();
    expect(lines.map(({ text, from }) => [from, text])).toEqual([
      ["antiphon", "one"],
      ["antiphon", "two"],
      ["antiphon", "three"],
    ]);
    expect(lines.every(({ id, ref }) => ref === `${id}@web:lobby`)).toBe(true);
    expect(await bench.depth("chat")).toMatchObject({ stored: 0, claimed: 0 });
  });

  test("a reply can be edited by its ref, and an edit shows the same ref", async () => {
    const bench = await open([
      defineHandler({
        name: "talk",
        routes: (r) => ({
          go: r.command("go", {
            run: async ({ reply, edit }) => {
              const { ref } = await reply("starting");
              await edit(ref, "half");
              await edit(ref, "done");
            },
          }),
        }),
      }),
    ]);
    await bench.say("!go");
    await bench.drive();
    const [first, ...edits] = await bench.lines();
    expect(edits.map(({ text, ref, edited }) => [text, ref, edited])).toEqual([
      ["half", first?.ref, true],
      ["done", first?.ref, true],
    ]);
  });

  test("other rooms go to the outbox of their unit, keyed by room", async () => {
    const bench = await open([
      defineHandler({
        name: "talk",
        routes: (r) => ({
          go: r.command("go", {
            run: async ({ send, topic, join, react, message }) => {
              await send("irc/libera:#ops", "hello");
              await topic("irc/libera:#ops", "all is well");
              await join("irc/libera:#new");
              const { ref } = await send("slack:C1", "in a thread", { thread: "17.1" });
              await react(ref, "eyes");
              await react({ ...message, room: "slack:C1", id: "99.1" }, "thumbsup");
            },
          }),
        }),
      }),
    ]);
    await bench.say("!go");
    expect((await bench.drive()).map(({ kind, error }) => [kind, error])).toEqual([["done", undefined]]);
    const irc = (await bench.waiting("outbox/irc/libera")) as { op: string }[];
    expect(irc).toMatchObject([
      { unit: "irc/libera", room: "#ops", op: "send", text: "hello" },
      { unit: "irc/libera", room: "#ops", op: "topic", text: "all is well" },
      { unit: "irc/libera", room: "#new", op: "join" },
    ]);
    const slack = (await bench.waiting("outbox/slack")) as { id: string }[];
    expect(slack).toMatchObject([
      { unit: "slack", room: "C1", op: "send", text: "in a thread", thread: "17.1" },
      { op: "react", ref: slack[0]?.id, emoji: "eyes" },
      { op: "react", messageId: "99.1", emoji: "thumbsup" },
    ]);
    const { runs } = await (await bench.claims("outbox/irc/libera")).take({ slots: 8, run: 4, order: "0123" });
    expect(runs.map((run) => [run[0]?.key, run.length])).toEqual([
      ["#ops", 2],
      ["#new", 1],
    ]);
  });

  test("a private reply names the person to the service, and a threaded one the thread where there are threads", async () => {
    const bench = await open([
      defineHandler({
        name: "talk",
        routes: (r) => ({
          go: r.command("go", { run: ({ reply }) => reply("psst", { private: true, thread: true }) }),
        }),
      }),
    ]);
    await bench.say("!go", { user: "irc:bob", room: "irc/libera:#ops" });
    await bench.say("!go", { user: "slack:U1", room: "slack:C1" });
    await bench.drive();
    expect(await bench.waiting("outbox/irc/libera")).toMatchObject([{ op: "send", to: "bob" }]);
    expect((await bench.waiting("outbox/irc/libera"))[0]).not.toHaveProperty("thread");
    expect(await bench.waiting("outbox/slack")).toMatchObject([{ op: "send", to: "U1", thread: expect.any(String) }]);
  });

  test("a room nobody serves and a thing the adapter cannot do are coded errors of the run", async () => {
    const codes: unknown[] = [];
    const code = (error: unknown): void => void codes.push((error as { code?: unknown }).code);
    const bench = await open([
      defineHandler({
        name: "talk",
        routes: (r) => ({
          go: r.command("go", {
            run: async ({ send, topic, edit, react, message }) => {
              await send("matrix:x", "hello").catch(code);
              await send("web:not a session", "hello").catch(code);
              await topic("web:lobby", "hello").catch(code);
              await react(message, "eyes").catch(code);
              await edit("nonsense", "hello").catch(code);
              await send("slack:C1", "x".repeat(40_000)).catch(code);
            },
          }),
        }),
      }),
    ]);
    await bench.say("!go");
    expect((await bench.drive())[0]?.kind).toBe("done");
    expect(codes).toEqual([
      "ROOM_UNKNOWN",
      "ROOM_UNKNOWN",
      "ACTION_UNSUPPORTED",
      "ACTION_UNSUPPORTED",
      "INPUT_INVALID",
      "VALUE_TOO_LARGE",
    ]);
  });
});

describe("who is meant", () => {
  const handlers = [
    defineHandler({
      name: "deploy",
      routes: (r) => ({
        go: r.command("deploy <app> [env]", {
          args: z.object({ app: z.string(), env: z.enum(["staging", "prod"]).default("staging") }),
          run: ({ args }) => `${args.app} to ${args.env}`,
        }),
        heard: r.hear(/(?<what>coffee|tea)/, {
          args: z.object({ what: z.string() }),
          run: ({ args, match, message }) => `${message.user.name} likes ${args.what} (${match[0]})`,
        }),
      }),
    }),
  ];

  test("a command must be addressed to the bot, by name, alias or by the service", async () => {
    const bench = await open(handlers);
    for (const text of ["deploy api", "antiphon deploy api", "!deploy api prod", "Antiphon: deploy web"])
      await bench.say(text);
    await bench.say("deploy x", { addressed: true });
    await bench.drive();
    expect(await bench.texts()).toEqual(["api to staging", "api to prod", "web to staging", "x to staging"]);
  });

  test("whoever uses a command wrongly is told how it is used, whoever says something unknown where to look", async () => {
    const bench = await open(handlers);
    for (const text of ["!deploy", "!deploy api moon", "!dance", "dance"]) await bench.say(text);
    const settled = await bench.drive();
    expect(settled.map(({ kind }) => kind)).toEqual(["done", "done", "done", "done"]);
    expect(await bench.texts()).toEqual([
      "Usage: antiphon deploy <app> [env]",
      expect.stringMatching(/^env: .*\nUsage: antiphon deploy <app> \[env\]$/),
      'I do not know that. Say "antiphon help" to see what I can do.',
    ]);
    expect(bench.named("run.failed")).toEqual([]);
  });

  test("what is heard needs no name", async () => {
    const bench = await open(handlers);
    await bench.say("more coffee please");
    await bench.drive();
    expect(await bench.texts()).toEqual(["ann likes coffee (coffee)"]);
  });
});

describe("permission", () => {
  const handlers = [
    defineHandler({
      name: "deploy",
      routes: (r) => ({
        go: r.command("deploy", { restrictTo: ["deployers", "ops"], run: () => "deployed" }),
        admin: r.command("reset", { restrictTo: ["admins"], run: () => "reset" }),
        what: r.command("what", {
          run: ({ commands }) =>
            commands()
              .map(({ usage }) => usage)
              .join(),
        }),
        add: r.command("add <user> <group>", { run: async ({ args, groups }) => groups.add(args.user, args.group) }),
        remove: r.command("remove <user> <group>", { run: ({ args, groups }) => groups.remove(args.user, args.group) }),
        list: r.command("list <group>", {
          run: async ({ args, groups }) => JSON.stringify(await groups.members(args.group)),
        }),
        listen: r.hear(/secret/, { restrictTo: ["ops"], run: () => "heard" }),
      }),
    }),
  ];
  const groups = { deployers: ["web:bob"], ops: [] };

  test("only members may, others are told so politely and it is an event", async () => {
    const bench = await open(handlers, { groups, admins: ["web:root"] });
    await bench.say("!deploy", { user: "web:ann" });
    await bench.say("!deploy", { user: "web:bob" });
    await bench.say("!reset", { user: "web:bob" });
    await bench.say("!reset", { user: "web:root" });
    await bench.say("!deploy", { user: "web:guest", admin: true });
    await bench.say("a secret", { user: "web:ann" });
    await bench.drive();
    expect((await bench.texts()).sort()).toEqual([
      "Sorry, that is only for admins.",
      "Sorry, that is only for deployers or ops.",
      "deployed",
      "deployed",
      "reset",
    ]);
    expect(
      bench
        .named("run.refused")
        .map(({ user }) => user)
        .sort(),
    ).toEqual(["web:ann", "web:ann", "web:bob"]);
  });

  test("members are added in chat, except where the configuration names them", async () => {
    const bench = await open(handlers, { groups });
    const ask = async (text: string): Promise<string | undefined> => {
      await bench.say(text);
      await bench.drive();
      return (await bench.texts()).at(-1);
    };
    expect(await ask("!deploy")).toMatch("only for");
    expect(await ask("!what")).toBe("what,add <user> <group>,remove <user> <group>,list <group>");
    expect(await ask("!add web:ann ops")).toBe("changed");
    expect(await ask("!add web:ann ops")).toBe("unchanged");
    expect(await ask("!deploy")).toBe("deployed");
    expect(await ask("!what")).toMatch(/^deploy,what/);
    expect(await ask("!list ops")).toBe('["web:ann"]');
    expect(await ask("!add web:ann deployers")).toBe("fixed");
    expect(await ask("!remove web:bob deployers")).toBe("fixed");
    expect(await ask("!add web:ann nobody")).toBe("unknown");
    expect(await ask("!remove web:ann ops")).toBe("changed");
    expect(await ask("!deploy")).toMatch("only for");
  });

  test("where the members cannot be read, nobody is one, and the person hears why", async () => {
    const bench = await open(handlers, { groups });
    await bench.client.set(bench.context.keys.group("ops"), "no hash");
    await bench.say("!deploy");
    await bench.drive();
    expect(await bench.texts()).toEqual(["Sorry, I cannot look up your groups now, so I may not do that for you."]);
  });
});
