// The example digest: collected from events, said by schedule and on request.

import { testBot } from "antiphon/testing";
import { expect, test } from "vitest";
import deploy from "./deploy.ts";
import digest from "./digest.ts";

test("the digest says what happened since the last one", async () => {
  await using bot = await testBot({ handlers: [deploy, digest], config: { deploy: { stepMs: 0 } } });
  const ann = bot.user("ann").in("web:ops");
  await ann.command("deploy api prod");
  await bot.settled();
  await ann.command("deploy web");
  await bot.settled();
  await ann.command("digest");
  await bot.settled();
  expect(bot.room("web:lobby").replies).toEqual([
    "Since the last digest:\napi was deployed to prod\nweb was deployed to staging",
  ]);
  await ann.command("digest");
  await bot.settled();
  expect(bot.room("web:lobby").replies.at(-1)).toBe("Since the last digest:\nnothing happened");
});

test("it comes by itself, once on each weekday", async () => {
  await using bot = await testBot({ handlers: [digest] });
  await bot.clock.advance("7d");
  expect(bot.room("web:lobby").replies).toHaveLength(5);
});

test("a worker that dies after it was said does not make it said again", async () => {
  await using bot = await testBot({ handlers: [digest] });
  bot.fault.crashWorker({ during: "digest.say", after: "send" });
  await bot.user("ann").in("web:ops").command("digest");
  await bot.settled();
  expect(bot.replies).toEqual(["Since the last digest:\nnothing happened"]);
});
