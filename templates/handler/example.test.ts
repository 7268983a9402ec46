import { testBot } from "antiphon/testing";
import { expect, test } from "vitest";
import example from "./example.ts";

test("says hello", async () => {
  await using bot = await testBot({ handlers: [example] });
  const ann = bot.user("ann").in("web:lobby");
  await ann.say("antiphon example world");
  await bot.settled();
  expect(bot.replies).toEqual(["Hello world!"]);
});
