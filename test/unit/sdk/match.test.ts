// Which routes want a message: addressing, commands, patterns, fallbacks.

import { describe, expect, test } from "vitest";
import { z } from "zod";
import { defineHandler } from "../../../services/sdk/handler.ts";
import {
  chatTable,
  type ChatTable,
  commandsOf,
  matchMessage,
  orderingKeyOf,
  stripAddress,
} from "../../../services/sdk/match.ts";
import type { Message } from "../../../services/sdk/message.ts";
import type { Route, Routes } from "../../../services/sdk/options.ts";
import type { AnyRoute, ChatRoute } from "../../../services/sdk/routes.ts";

const names = { name: "antiphon", alias: "!" };
const run = (): void => {};

function routesOf(name: string, routes: (r: Routes<unknown>) => Record<string, Route>): AnyRoute[] {
  return Object.values(defineHandler({ name, routes }).routes) as AnyRoute[];
}

function matched(table: ChatTable, text: string, addressed = false): Record<string, unknown> {
  const { runs, misused } = matchMessage(table, { text, addressed }, names);
  return {
    ...Object.fromEntries(runs.map(({ route, args }) => [route.id, args])),
    ...(misused.length > 0 ? { misused: misused.map((route) => route.id) } : {}),
  };
}

describe("address", () => {
  test.each([
    ["antiphon ping", "ping"],
    ["  Antiphon   ping ", "ping"],
    ["@antiphon: ping", "ping"],
    ["antiphon, ping", "ping"],
    ["antiphon:ping", "ping"],
    ["ANTIPHON\nping", "ping"],
    ["!ping", "ping"],
    ["! ping", "ping"],
    ["!été", "été"],
    ["antiphon", ""],
    ["@antiphon:", ""],
    ["antiphon?", ""],
  ])("%j is addressed and says %j", (text, body) => {
    expect(stripAddress({ text }, names)).toEqual({ addressed: true, body });
  });

  test.each([
    "ping",
    "antiphonic ping",
    "antiphon's ping",
    "hello antiphon",
    "!",
    "!!!",
    "!?",
    "",
    "@",
    "anti phon ping",
  ])("%j is not", (text) => {
    expect(stripAddress({ text }, names)).toEqual({ addressed: false, body: text });
  });

  test("an alias of letters ends like a word", () => {
    const bot = { name: "antiphon", alias: "bot" };
    expect(stripAddress({ text: "bot ping" }, bot)).toEqual({ addressed: true, body: "ping" });
    expect(stripAddress({ text: "bottle ping" }, bot).addressed).toBe(false);
  });

  test("without an alias nothing but the name counts", () => {
    expect(stripAddress({ text: "!ping" }, { name: "antiphon", alias: "" }).addressed).toBe(false);
  });

  test("the service may know that the bot is meant", () => {
    expect(stripAddress({ text: "ping", addressed: true }, names)).toEqual({ addressed: true, body: "ping" });
    expect(stripAddress({ text: "!ping", addressed: true }, names)).toEqual({ addressed: true, body: "ping" });
  });
});

describe("commands", () => {
  const table = chatTable(
    routesOf("deploy", (r) => ({
      deploy: r.command("deploy <app> [env]", { run }),
      status: r.command("deploy status", { run }),
      add: r.command("add <user> to <group>", { run }),
      say: r.command("say <text...>", { run }),
      maybe: r.command("note [text...]", { run }),
    })),
  );

  test.each([
    ["!deploy api", { "deploy.deploy": { app: "api" } }],
    ["antiphon Deploy api prod", { "deploy.deploy": { app: "api", env: "prod" } }],
    ['!deploy "my app" prod', { "deploy.deploy": { app: "my app", env: "prod" } }],
    ["!add ann to ops", { "deploy.add": { user: "ann", group: "ops" } }],
    ["!say hello", { "deploy.say": { text: "hello" } }],
    ['!say "hello"', { "deploy.say": { text: "hello" } }],
    ['!say hello  "there"\nyou', { "deploy.say": { text: 'hello  "there"\nyou' } }],
    ["!note", { "deploy.maybe": {} }],
    ["!note a b", { "deploy.maybe": { text: "a b" } }],
  ])("%j", (text, expected) => {
    expect(matched(table, text)).toEqual(expected);
  });

  test("must be addressed to the bot", () => {
    expect(matched(table, "deploy api")).toEqual({});
    expect(matched(table, "deploy api", true)).toEqual({ "deploy.deploy": { app: "api" } });
  });

  test("the one with more fixed words is meant", () => {
    expect(matched(table, "!deploy status")).toEqual({ "deploy.status": {} });
  });

  test("meant, but with too few or too many words", () => {
    expect(matched(table, "!deploy")).toEqual({ misused: ["deploy.deploy"] });
    expect(matched(table, "!deploy a b c")).toEqual({ misused: ["deploy.deploy"] });
    expect(matched(table, "!deploy status now please")).toEqual({ misused: ["deploy.status"] });
    expect(matched(table, "!add ann ops")).toEqual({ misused: ["deploy.add"] });
    expect(matched(table, "!say")).toEqual({ misused: ["deploy.say"] });
  });

  test("equal commands of two handlers both run, in the order of the handlers", () => {
    const both = chatTable([
      ...routesOf("one", (r) => ({ ping: r.command("ping", { run }) })),
      ...routesOf("two", (r) => ({ ping: r.command("Ping", { run }) })),
    ]);
    expect(Object.keys(matched(both, "!ping"))).toEqual(["one.ping", "two.ping"]);
  });

  test("a built-in command runs only where none of the team fits", () => {
    const builtin = routesOf("ping", (r) => ({ ping: r.command("ping", { run }), info: r.command("info", { run }) }));
    const ours = routesOf("ours", (r) => ({ ping: r.command("ping", { run }) }));
    expect(matched(chatTable(ours, builtin), "!ping")).toEqual({ "ours.ping": {} });
    expect(matched(chatTable(ours, builtin), "!info")).toEqual({ "ping.info": {} });
  });

  test("an argument can be called as it likes without reaching a prototype", () => {
    const odd = chatTable(routesOf("odd", (r) => ({ odd: r.command("set <constructor> [toString]", { run }) })));
    expect(matched(odd, "!set a")).toEqual({ "odd.odd": { constructor: "a" } });
  });
});

describe("hear", () => {
  const table = chatTable(
    routesOf("hear", (r) => ({
      issue: r.hear(/#(?<issue>\d+)(?<more>x)?/g, { run }),
      named: r.hear(/^antiphon\b/i, { run }),
      start: r.hear(/^what time/y, { run }),
    })),
  );

  test("named groups are arguments; a group that took no part is absent", () => {
    expect(matched(table, "see #12")).toEqual({ "hear.issue": { issue: "12" } });
  });

  test("a pattern keeps no state between messages, whatever its flags", () => {
    for (let round = 0; round < 3; round++) {
      expect(matched(table, "see #12")).toEqual({ "hear.issue": { issue: "12" } });
      expect(matched(table, "what time is it")).toEqual({ "hear.start": {} });
    }
  });

  test("is tried on what was said to the bot and on the whole text", () => {
    expect(matched(table, "antiphon what time is it")).toEqual({ "hear.named": {}, "hear.start": {} });
  });

  test("the match itself is there", () => {
    const { runs } = matchMessage(table, { text: "see #12" }, names);
    expect(runs[0]?.match).toMatchObject({ 0: "#12", index: 4 });
  });

  test("runs beside a command", () => {
    const both = chatTable([
      ...routesOf("hear", (r) => ({ all: r.hear(/deploy/, { run }) })),
      ...routesOf("deploy", (r) => ({ deploy: r.command("deploy <app>", { run }) })),
    ]);
    expect(Object.keys(matched(both, "!deploy api"))).toEqual(["deploy.deploy", "hear.all"]);
  });
});

describe("fallback", () => {
  const ours = routesOf("ours", (r) => ({
    deploy: r.command("deploy <app>", { run }),
    hear: r.hear(/thanks/, { run }),
    rest: r.fallback({ run }),
  }));
  const builtin = routesOf("help", (r) => ({ suggest: r.fallback({ run }) }));

  test("runs when the bot was addressed and nothing else matched", () => {
    const table = chatTable([], builtin);
    expect(matched(table, "antiphon what?")).toEqual({ "help.suggest": {} });
    expect(matched(table, "antiphon")).toEqual({ "help.suggest": {} });
    expect(matched(table, "nonsense", true)).toEqual({ "help.suggest": {} });
  });

  test("stays quiet when the bot was not addressed, or something else matched or was meant", () => {
    const table = chatTable(ours, builtin);
    expect(matched(table, "what?")).toEqual({});
    expect(matched(table, "antiphon thanks")).toEqual({ "ours.hear": {} });
    expect(matched(table, "!deploy")).toEqual({ misused: ["ours.deploy"] });
  });

  test("the team's replaces the built-in one", () => {
    expect(matched(chatTable(ours, builtin), "!nonsense")).toEqual({ "ours.rest": {} });
  });
});

describe("ordering key", () => {
  const message: Message = { id: "1", text: "x", room: "web:ops", thread: "t", user: { id: "web:ann", name: "ann" } };
  const { thread: _, ...unthreaded } = message;
  const [own, room, thread, user, app] = routesOf("k", (r) => ({
    own: r.command("a", { run }),
    room: r.command("b", { key: "room", run }),
    thread: r.command("c", { key: "thread", run }),
    user: r.command("d", { key: "user", run }),
    app: r.command("e", { key: (said) => said.text, run }),
  })) as [ChatRoute, ChatRoute, ChatRoute, ChatRoute, ChatRoute];

  test("is the Message's own unless the route says otherwise", () => {
    expect(orderingKeyOf(own, message)).toBeUndefined();
    expect(orderingKeyOf(room, message)).toBe("web:ops");
    expect(orderingKeyOf(user, message)).toBe("web:ann");
    expect(orderingKeyOf(app, message)).toBe("x");
    expect(orderingKeyOf(thread, message)).not.toBe(orderingKeyOf(room, message));
    expect(orderingKeyOf(thread, unthreaded)).toBe("web:ops");
  });
});

describe("commandsOf", () => {
  const table = chatTable(
    routesOf("ours", (r) => ({
      ping: r.command("ping", { help: "Ours", run }),
      deploy: r.command("deploy <app>", { restrictTo: ["deployers"], args: z.object({ app: z.string() }), run }),
      quiet: r.hear(/x/, { run }),
      issue: r.hear(/#\d+/, { help: "Names an issue", run }),
    })),
    routesOf("builtin", (r) => ({ ping: r.command("ping", { run }), rest: r.fallback({ run }) })),
  );

  test("lists what somebody may call, the team's own before what is built in", () => {
    expect(commandsOf(table, () => true)).toEqual([
      { route: "ours.ping", handler: "ours", kind: "command", usage: "ping", help: "Ours" },
      { route: "ours.deploy", handler: "ours", kind: "command", usage: "deploy <app>" },
      { route: "ours.issue", handler: "ours", kind: "hear", usage: "/#\\d+/", help: "Names an issue" },
    ]);
    expect(commandsOf(table, (route) => route.restrictTo === undefined).map((info) => info.route)).toEqual([
      "ours.ping",
      "ours.issue",
    ]);
  });
});

test("a very long hostile message is matched in one pass", () => {
  const table = chatTable(
    routesOf("h", (r) => ({ say: r.command("say <text...>", { run }), two: r.command("a <b> [c]", { run }) })),
  );
  // Anything worse than linear would not finish within the test's time.
  for (const unit of ["“ ", "a ", "!", "@antiphon: ", "\n", " "]) {
    for (const start of ["!say ", "antiphon ", "", "!a "])
      matchMessage(table, { text: start + unit.repeat(100_000) }, names);
  }
});
