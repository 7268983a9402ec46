// Help: private, short, only what the asker may run; a mistyped command gets a suggestion and never silence.

import { describe, expect, test } from "vitest";
import help from "../../../services/builtin/help.ts";
import { defineHandler } from "../../../services/sdk/index.ts";
import { routesOf, talk } from "./talk.ts";

const run = (): void => {};
const team = routesOf(
  defineHandler({
    name: "deploy",
    routes: (r) => ({
      deploy: r.command("deploy <app> [env]", { help: "Ship <app> to staging or prod", run }),
      rollback: r.command("rollback <app>", { restrictTo: ["deployers"], run }),
      issue: r.hear(/#\d+/, { help: "Names an issue", run }),
    }),
  }),
);
const many = (count: number): ReturnType<typeof routesOf> =>
  routesOf(
    defineHandler({
      name: "many",
      routes: (r) =>
        Object.fromEntries(Array.from({ length: count }, (_, n) => [`c${n}`, r.command(`command${n}`, { run })])),
    }),
  );

describe("help", () => {
  test("lists the commands in private", async () => {
    expect(await talk(help, "antiphon help", { team })).toEqual([
      {
        route: "help.help",
        private: true,
        text: [
          'Say "antiphon" and then:',
          "deploy <app> [env] – Ship <app> to staging or prod",
          "rollback <app>",
          "help [query...] – What I can do, or what I know about a word",
          "/#\\d+/ – Names an issue",
        ].join("\n"),
      },
    ]);
  });

  test("leaves out what the asker may not run", async () => {
    const [answer] = await talk(help, "!help", { team, may: (route) => route.restrictTo === undefined });
    expect(answer?.text).not.toContain("rollback");
    const [about] = await talk(help, "!help rollback", { team, may: (route) => route.restrictTo === undefined });
    expect(about?.text).toBe('I know nothing about "rollback". Say "antiphon help".');
  });

  test("has at most 20 lines", async () => {
    const lines = async (count: number): Promise<string[]> =>
      (await talk(help, "!help", { team: many(count) }))[0]?.text.split("\n") ?? [];
    expect(await lines(18)).toHaveLength(20);
    const long = await lines(500);
    expect(long).toHaveLength(20);
    expect(long.at(-1)).toBe('… and 483 more: say "antiphon help WORD".');
    expect((await talk(help, "!help command", { team: many(500) }))[0]?.text.split("\n")).toHaveLength(20);
  });

  test("a help text of many lines or great length is one short line", async () => {
    const loud = routesOf(
      defineHandler({
        name: "loud",
        routes: (r) => ({ loud: r.command("loud", { help: "a\nb\n".repeat(5000), run }) }),
      }),
    );
    const lines = (await talk(help, "!help loud", { team: loud }))[0]?.text.split("\n") ?? [];
    expect(lines).toHaveLength(1);
    expect(lines[0]?.length).toBeLessThanOrEqual(160);
  });

  test("help QUERY finds handlers, commands and descriptions", async () => {
    const about = async (query: string): Promise<string | undefined> =>
      (await talk(help, `!help ${query}`, { team }))[0]?.text;
    expect(await about("STAGING")).toBe("deploy <app> [env] – Ship <app> to staging or prod");
    expect(await about("rollback")).toBe("rollback <app>");
    expect((await about("deploy"))?.split("\n")).toHaveLength(3);
  });
});

describe("a command that does not exist", () => {
  const answer = async (text: string, around = {}): Promise<string | undefined> =>
    (await talk(help, text, { team, ...around }))[0]?.text;

  test.each([
    ["!deplyo api", "deploy <app> [env]"],
    ["!dpeloy api", "deploy <app> [env]"],
    ["!Deploi api", "deploy <app> [env]"],
    ["!roll api", "rollback <app>"],
    ["!hlep", "help [query...]"],
  ])("%j is near %j", async (text, usage) => {
    expect(await answer(text)).toContain(`Did you mean "${usage}"?`);
  });

  test("is answered shortly when nothing is near", async () => {
    expect(await answer("antiphon make me a sandwich")).toBe(
      'I do not know "make me a sandwich". Say "antiphon help" to see what I can do.',
    );
  });

  test("does not reveal what the asker may not run", async () => {
    expect(await answer("!rolback", { may: () => false })).not.toContain("rollback");
  });

  test("the name alone is answered", async () => {
    expect(await answer("antiphon")).toBe('Yes? Say "antiphon help" to see what I can do.');
  });

  test("nobody is answered who did not address the bot", async () => {
    expect(await talk(help, "deplyo api", { team })).toEqual([]);
  });

  test("what was typed is said again short and mentions nobody", async () => {
    expect(await answer(`antiphon <!here> @everyone ${"x".repeat(100_000)}`)).toMatch(
      /^I do not know "!here everyone x{10,40}…"\. Say/,
    );
    expect((await answer(`!${"a b ".repeat(100_000)}`, { team: many(500) }))?.length).toBeLessThan(200);
  });
});
