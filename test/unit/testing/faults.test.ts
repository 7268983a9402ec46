import { beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { defineHandler, job } from "../../../services/sdk/index.ts";
import { testBot } from "../../../services/testing/bot.ts";
import { waitFor } from "../../support/wait-for.ts";
import { journal, lab } from "./lab.ts";

beforeEach(() => void journal.splice(0));

test("a worker that dies in the middle of a job leaves it to another", async () => {
  await using bot = await testBot({ handlers: [lab], workers: 3 });
  bot.fault.crashWorker({ during: "lab.counting", after: "emit" });
  await bot.user("ann").in("web:ops").command("count sheep");
  await bot.settled();
  expect(journal).toEqual([
    "setup",
    "count sheep",
    "finally sheep",
    "counting sheep, attempt 1",
    "counting sheep, attempt 1",
  ]);
  expect(bot.replies).toEqual(["counting sheep", "sheep: 1"]);
});

test("nothing of a dead worker's handler goes on: no catch, no finally", async () => {
  await using bot = await testBot({ handlers: [lab] });
  bot.fault.crashWorker({ during: "lab.count", after: "enqueue" });
  await bot.user("ann").in("web:ops").command("count sheep");
  await bot.settled();
  expect(journal.filter((line) => line.startsWith("count "))).toEqual(["count sheep", "count sheep"]);
  expect(journal.filter((line) => line.startsWith("finally "))).toEqual(["finally sheep"]);
  expect(journal.filter((line) => line.startsWith("caught "))).toEqual([]);
  expect(journal.filter((line) => line.startsWith("counting "))).toHaveLength(1);
});

test("what was said before the crash is not said again", async () => {
  await using bot = await testBot({ handlers: [lab], adapters: ["matrix/home", "web"] });
  bot.fault.crashWorker({ during: "lab.grow", after: "reply" });
  bot.fault.crashWorker({ during: "lab.thread", after: "run" });
  const room = bot.user("ann").in("matrix/home:#ops");
  await room.command("grow");
  await bot.settled();
  await room.command("thread");
  await bot.settled();
  expect(bot.room("matrix/home:#ops").replies).toEqual(["aaa", "below"]);
});

test("a step that is recorded is not made again after a crash; one that is not, is", async () => {
  const made: string[] = [];
  const Push = job("steps.push", z.object({}));
  const steps = defineHandler({
    name: "steps",
    routes: (r) => ({
      go: r.command("go", { run: async ({ enqueue }) => void (await enqueue(Push, {})) }),
      push: r.job(Push, {
        run: async ({ step, send }) => {
          const sha = await step("push", () => made.push("push"));
          await step("tell", () => made.push("tell"));
          await send("web:ops", `pushed ${sha}`);
        },
      }),
    }),
  });
  await using bot = await testBot({ handlers: [steps], workers: 2 });
  bot.fault.crashWorker({ during: "steps.push", after: "step:push" });
  await bot.user("ann").in("web:ops").command("go");
  await bot.settled();
  expect(made).toEqual(["push", "tell"]);
  expect(bot.replies).toEqual(["pushed 1"]);
  expect(() => bot.fault.crashWorker({ during: "steps.push", after: "stop" as never })).toThrow("step:<name>");
});

test("a crash before the first line", async () => {
  await using bot = await testBot({ handlers: [lab] });
  bot.fault.crashWorker({ during: "lab.count" });
  await bot.user("ann").in("web:ops").command("count sheep");
  await bot.settled();
  expect(journal.filter((line) => line === "count sheep")).toHaveLength(1);
  expect(bot.replies).toEqual(["counting sheep", "sheep: 1"]);
});

test("a crash now takes the worker that is busy", async () => {
  await using bot = await testBot({ handlers: [lab], workers: 2, config: { lab: { ms: 300 } } });
  await bot.user("ann").in("web:ops").command("count sheep");
  await waitFor(() => journal.includes("counting sheep, attempt 1"));
  bot.fault.crashWorker();
  expect(bot.running).toEqual([]);
  await bot.settled();
  expect(journal.filter((line) => line.startsWith("counting "))).toHaveLength(2);
  expect(bot.replies).toContain("sheep: 1");
});

test("an idle worker that dies is replaced", async () => {
  await using bot = await testBot({ handlers: [lab] });
  bot.fault.crashWorker();
  await bot.user("ann").in("web:ops").command("echo still here");
  await bot.settled();
  expect(bot.replies).toEqual(["still here"]);
});

test("a delivery that kills every worker ends in the dead letters", async () => {
  await using bot = await testBot({ handlers: [lab] });
  for (let times = 0; times < 3; times++) bot.fault.crashWorker({ during: "lab.echo" });
  bot.expectFailure("lab.echo");
  const room = bot.user("ann").in("web:ops");
  await room.command("echo poison");
  await bot.settled();
  expect(bot.replies).not.toContain("poison");
  await room.command("echo food");
  await bot.settled();
  expect(bot.replies).toContain("food");
});

test("a message that arrives twice is one", async () => {
  await using bot = await testBot({ handlers: [lab], adapters: ["web", "matrix/home"] });
  const ann = bot.user("ann");
  for (const room of ["web:ops", "matrix/home:#ops"] as const) {
    bot.fault.duplicateDelivery();
    await ann.in(room).command("echo once");
    await bot.settled();
    expect(bot.room(room).replies).toEqual(["once"]);
    expect(bot.room(room).lines).toHaveLength(2);
  }
});

test("a crash that never came to pass is a mistake of the test", async () => {
  const bot = await testBot({ handlers: [lab] });
  expect(() => bot.fault.crashWorker({ during: "lab.nothing" })).toThrow("there is no route lab.nothing");
  bot.fault.crashWorker({ during: "lab.count" });
  await expect(bot.stop()).rejects.toThrow("No run of lab.count came to the point of its crash.");
});
