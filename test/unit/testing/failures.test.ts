import { expect, test } from "vitest";
import { testBot } from "../../../services/testing/bot.ts";
import { waitFor } from "../../support/wait-for.ts";
import { lab } from "./lab.ts";

test("what a handler throws is thrown at the test, and the bot lives on", async () => {
  await using bot = await testBot({ handlers: [lab] });
  const room = bot.user("ann").in("web:ops");
  await room.command("fail");
  const error = await bot.settled().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ message: "lab.fail: the kettle is empty", cause: new Error("the kettle is empty") });
  expect(bot.replies).toEqual([expect.stringMatching(/^Sorry, that went wrong/)]);
  await room.command("echo still here");
  await bot.settled();
  expect(bot.replies).toContain("still here");
});

test("several failures are thrown together", async () => {
  await using bot = await testBot({ handlers: [lab] });
  for (const name of ["ann", "bob"]) await bot.user(name).in("web:ops").command("fail");
  await expect(bot.settled()).rejects.toThrow(AggregateError);
});

test("an expected failure is not thrown", async () => {
  await using bot = await testBot({ handlers: [lab] });
  bot.expectFailure("lab.fail");
  await bot.user("ann").in("web:ops").command("fail");
  await bot.settled();
  expect(bot.failures).toMatchObject([{ route: "lab.fail", text: "the kettle is empty" }]);
});

test("a failure that no settled() threw is thrown by stop()", async () => {
  const bot = await testBot({ handlers: [lab] });
  await bot.user("ann").in("web:ops").command("fail");
  await waitFor(() => bot.failures.length > 0);
  await expect(bot.stop()).rejects.toThrow("lab.fail: the kettle is empty");
});

test("a handler that does not end is named", async () => {
  const bot = await testBot({ handlers: [lab] });
  await bot.user("ann").in("web:ops").command("hang");
  await waitFor(() => bot.running.length > 0);
  await expect(bot.settled({ within: "200ms" })).rejects.toThrow(
    "The bot has not settled within 200 ms. running: lab.hang; claimed: 1 of chat",
  );
  await expect(bot.stop()).rejects.toThrow("Still running when the bot was stopped: lab.hang");
});
