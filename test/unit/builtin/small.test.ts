// ping and info.

import { expect, test } from "vitest";
import info from "../../../services/builtin/info.ts";
import ping from "../../../services/builtin/ping.ts";
import { talk } from "./talk.ts";

test("ping is answered with pong", async () => {
  expect(await talk(ping, "antiphon ping")).toEqual([{ text: "pong", route: "ping.ping", private: false }]);
});

test("info says version, adapters and handlers", async () => {
  expect((await talk(info, "!info", { handlers: ["deploy", "github"] }))[0]?.text).toBe(
    "antiphon runs Antiphon 1.2.3\nadapters: web, irc\nhandlers: deploy, github",
  );
  expect((await talk(info, "!info"))[0]?.text).toContain("handlers: none");
});

test("info stays short however many handlers there are", async () => {
  const handlers = Array.from({ length: 200 }, (_, n) => `h${n}`);
  expect((await talk(info, "!info", { handlers }))[0]?.text).toMatch(/h29 and 170 more$/);
});
