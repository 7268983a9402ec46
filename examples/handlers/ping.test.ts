// The example ping.

import { testBot } from "antiphon/testing";
import { expect, test } from "vitest";
import ping from "./ping.ts";

test("ping is answered, by name and by alias", async () => {
  await using bot = await testBot({ handlers: [ping] });
  const ann = bot.user("ann").in("web:lobby");
  await ann.say("antiphon ping");
  await ann.say("!ping");
  await ann.say("what is a ping?");
  await bot.settled();
  expect(bot.replies).toEqual(["pong", "pong"]);
});
