// The line of log per run, which is middleware like any other.

import { expect, test } from "vitest";
import { TALKATIVE } from "../../../services/builtin/all.ts";
import { runLog } from "../../../services/builtin/run-log.ts";
import { defineHandler, discard } from "../../../services/sdk/index.ts";
import { testBot } from "../../../services/testing/bot.ts";

const talk = defineHandler({
  name: "talk",
  routes: (r) => ({
    hi: r.command("hi", { run: () => "hello" }),
    no: r.command("no", { run: () => discard("no") }),
    bad: r.command("bad", {
      run() {
        throw new Error("bad");
      },
    }),
  }),
});

test("each run is one line that says how it ended and how long it took", async () => {
  await using bot = await testBot({ handlers: [talk, runLog] });
  bot.expectFailure("talk.bad");
  const ann = bot.user("ann").in("web:lobby");
  for (const word of ["hi", "no", "bad"]) await ann.command(word);
  await bot.settled();
  const lines = bot.logs.filter(({ text }) => text === "ran");
  expect(lines.map(({ route, fields }) => [route, fields?.["outcome"], fields?.["attempt"], fields?.["kind"]])).toEqual(
    [
      ["talk.hi", "done", 1, "message"],
      ["talk.no", "discard", 1, "message"],
      ["talk.bad", "failed", 1, "message"],
    ],
  );
  for (const { fields } of lines) expect(fields?.["ms"]).toBeGreaterThanOrEqual(0);
});

test("it comes with Antiphon, for the log level debug", () => {
  expect(TALKATIVE).toContain(runLog);
});
