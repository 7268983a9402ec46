// The example deploy: progress in one line, one app at a time, whatever dies meanwhile.

import { matchers, testBot } from "antiphon/testing";
import { expect, test } from "vitest";
import deploy from "./deploy.ts";

expect.extend(matchers);
const config = { deploy: { stepMs: 5 } };

test("a deploy tells its progress in one line", async () => {
  await using bot = await testBot({ handlers: [deploy], config });
  await bot.user("ann").in("web:ops").command("deploy api prod");
  await bot.settled();
  expect(bot.replies).toEqual(["Deployed api to prod."]);
  expect(bot.room("web:ops")).toHaveSaid("Deploying api to prod: testing");
});

test("staging is where a deploy goes unless it says otherwise; elsewhere it does not go", async () => {
  await using bot = await testBot({ handlers: [deploy], config });
  await bot.user("ann").in("web:ops").command("deploy api");
  await bot.user("bob").in("web:ops").command("deploy api mars");
  await bot.settled();
  expect(bot.room("web:ops")).toHaveSaid("Deployed api to staging.");
  expect(bot.room("web:ops")).not.toHaveSaid(/Deployed api to mars/);
});

test("a worker that dies in the middle of a deploy is replaced, and the deploy is done", async () => {
  await using bot = await testBot({ handlers: [deploy], config, workers: 2 });
  bot.fault.crashWorker({ during: "deploy.ship", after: "edit" });
  await bot.user("ann").in("web:ops").command("deploy api prod");
  await bot.settled();
  expect(bot.replies).toEqual(["Deployed api to prod."]);
});
