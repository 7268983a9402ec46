// The example worker-test: success is logged, failure is tried again.

import { testBot } from "antiphon/testing";
import { expect, test } from "vitest";
import workerTest from "./worker-test.ts";

const config = { "worker-test": { ms: 5 } };

test("the job says when it succeeded", async () => {
  await using bot = await testBot({ handlers: [workerTest], config });
  expect((await bot.http.get("/?name=foo")).status).toBe(202);
  await bot.settled();
  expect(bot.logs.map(({ text }) => text)).toEqual(["worker-test: foo begins", "worker-test: foo succeeded"]);
});

test("a bad name is tried again", async () => {
  await using bot = await testBot({ handlers: [workerTest], config });
  bot.expectFailure("worker-test.work");
  await bot.http.get("/?name=bad");
  await bot.settled();
  await bot.clock.advance("1h");
  expect(bot.logs.filter(({ text }) => text === "worker-test: bad begins")).toHaveLength(5);
});

test("a job whose worker dies is done by another one", async () => {
  await using bot = await testBot({ handlers: [workerTest], config, workers: 2 });
  bot.fault.crashWorker({ during: "worker-test.work" });
  await bot.http.get("/?name=foo");
  await bot.settled();
  expect(bot.logs.map(({ text }) => text)).toEqual(["worker-test: foo begins", "worker-test: foo succeeded"]);
});

test("without a name nothing is started", async () => {
  await using bot = await testBot({ handlers: [workerTest], config });
  bot.expectFailure(/INPUT_INVALID/);
  await bot.http.get("/");
  await bot.settled();
  expect(bot.failures).toHaveLength(1);
  expect(bot.logs).toEqual([]);
});
