// The three ways in which a bot under test treats jobs, and what it says of what was enqueued.

import { beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { defineHandler, defineMiddleware, event, job } from "../../../services/sdk/index.ts";
import { testBot } from "../../../services/testing/bot.ts";

const Ship = job("ship", z.object({ app: z.string() }));
const Tell = job("tell", z.object({ text: z.string() }), { queue: "low" });
const Next = job("next", z.number());
const Shipped = event("shipped", z.object({ app: z.string() }));
const steps: string[] = [];
beforeEach(() => void steps.splice(0));

const deploy = defineHandler({
  name: "deploy",
  routes: (r) => ({
    go: r.command("deploy <app>", {
      async run({ args, enqueue }) {
        await enqueue(Ship, { app: args.app }, { key: args.app, tags: ["eu"] });
        steps.push(`asked for ${args.app}`);
      },
    }),
    later: r.command("later <app>", {
      run: ({ args, enqueue }) => enqueue(Ship, { app: args.app }, { delay: "1h" }).then(() => {}),
    }),
    ship: r.job(Ship, {
      async run({ input, enqueue, emit, attempt }) {
        steps.push(`ship ${input.app}`);
        if (input.app === "bad") throw new Error("no such app");
        if (input.app === "slow" && attempt === 1) throw new Error("try again");
        await enqueue(Tell, { text: `${input.app} is out` });
        await emit(Shipped, { app: input.app });
        steps.push(`shipped ${input.app}`);
      },
      retry: { every: "10s" },
      attempts: 2,
    }),
    chain: r.command("chain", { run: ({ enqueue }) => enqueue(Next, 2, { key: "chain" }).then(() => {}) }),
    next: r.job(Next, {
      async run({ input, enqueue }) {
        steps.push(`next ${input}`);
        if (input > 0) await enqueue(Next, input - 1, { key: "chain" });
      },
    }),
    tell: r.job(Tell, { run: ({ input, send }) => send("web:ops", input.text) }),
    heard: r.on(Shipped, { run: ({ payload }) => void steps.push(`heard of ${payload.app}`) }),
  }),
});

const handlers = [deploy];

describe("fake", () => {
  test("jobs are stored and do not run until they are drained, with all that they enqueue", async () => {
    await using bot = await testBot({ handlers, jobs: "fake" });
    const ann = bot.user("ann").in("web:ops");
    await ann.command("deploy api");
    await ann.command("deploy web");
    await bot.settled();
    expect(steps).toEqual(["asked for api", "asked for web"]);
    expect(bot.enqueued(Ship)).toMatchObject([
      { kind: "job", name: "ship", input: { app: "api" }, options: { key: "api", tags: ["eu"] }, from: "deploy.go" },
      { kind: "job", name: "ship", input: { app: "web" } },
    ]);
    const [first] = bot.enqueued(Ship);
    expect(await bot.queue.find(first?.ids[0] ?? "")).toMatchObject({ route: "deploy.ship", key: "api" });
    await bot.drain();
    expect(steps).toContain("heard of api");
    expect(bot.replies.toSorted()).toEqual(["api is out", "web is out"]);
    expect(
      bot
        .enqueued()
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(["ship", "ship", "shipped", "shipped", "tell", "tell"]);
  });

  test("one job alone may be drained; what it enqueues of others waits", async () => {
    await using bot = await testBot({ handlers, jobs: "fake" });
    await bot.user("ann").in("web:ops").command("deploy api");
    await bot.settled();
    await bot.drain(Ship);
    expect(steps).toContain("shipped api");
    expect(bot.replies).toEqual([]);
    expect(bot.enqueued(Tell)).toMatchObject([{ input: { text: "api is out" }, from: "deploy.ship" }]);
    await bot.drain(Tell);
    expect(bot.replies).toEqual(["api is out"]);
    await bot.user("ann").in("web:ops").command("deploy web");
    await bot.settled();
    expect(steps.at(-1)).toBe("asked for web");
  });

  test("a delayed job comes due as time goes by, and then waits to be drained", async () => {
    await using bot = await testBot({ handlers, jobs: "fake" });
    await bot.user("ann").in("web:ops").command("later api");
    await bot.settled();
    await bot.drain();
    expect(steps).toEqual([]);
    await bot.clock.advance("2h");
    expect(steps).toEqual([]);
    await bot.drain();
    expect(steps[0]).toBe("ship api");
  });

  test("drain throws what a job threw", async () => {
    await using bot = await testBot({ handlers, jobs: "fake" });
    await bot.user("ann").in("web:ops").command("deploy bad");
    await bot.settled();
    await expect(bot.drain()).rejects.toThrow("no such app");
    await expect(bot.drain("nothing")).rejects.toThrow("no route");
  });

  test("what a test enqueues itself is held, too", async () => {
    await using bot = await testBot({ handlers, jobs: "fake" });
    await bot.queue.enqueue(Ship, { app: "api" });
    await bot.settled();
    expect([steps, bot.enqueued(Ship).length]).toEqual([[], 1]);
    await bot.drain();
    expect(steps[0]).toBe("ship api");
  });
});

describe("inline", () => {
  test("an enqueue resolves when the job has run, with all that it enqueues in turn", async () => {
    await using bot = await testBot({ handlers, jobs: "inline" });
    await bot.user("ann").in("web:ops").command("deploy api");
    await bot.settled();
    expect(steps).toEqual(["ship api", "heard of api", "shipped api", "asked for api"]);
    expect(bot.replies).toEqual(["api is out"]);
    await bot.queue.enqueue(Ship, { app: "web" });
    expect(steps.at(-1)).toBe("shipped web");
  });

  test("what waits for a time, or for the key that the run holds, does not hold it up", async () => {
    await using bot = await testBot({ handlers, jobs: "inline" });
    bot.expectFailure("deploy.ship");
    const ann = bot.user("ann").in("web:ops");
    await ann.command("deploy slow");
    await ann.command("later api");
    await ann.command("chain");
    await bot.settled();
    expect(steps).toEqual(["ship slow", "asked for slow", "next 2", "next 1", "next 0"]);
    await bot.clock.advance("1m");
    expect(steps.slice(5)).toEqual(["ship slow", "heard of slow", "shipped slow"]);
  });
});

test("by themselves jobs run at once; a second attempt does not count as a second enqueue", async () => {
  await using bot = await testBot({ handlers });
  bot.expectFailure("deploy.ship");
  bot.fault.crashWorker({ during: "deploy.go", after: "enqueue" });
  await bot.user("ann").in("web:ops").command("deploy api");
  await bot.settled();
  expect(bot.enqueued(Ship).length).toBe(1);
  expect(bot.replies).toEqual(["api is out"]);
});

test("enqueued says what middleware made of it", async () => {
  const stamp = defineMiddleware({ name: "stamp", enqueue: (_call, next) => next({ meta: { tenant: "t1" } }) });
  await using bot = await testBot({ handlers: [deploy, stamp], jobs: "fake" });
  await bot.user("ann").in("web:ops").command("deploy api");
  await bot.settled();
  expect(bot.enqueued("ship")).toMatchObject([{ meta: { tenant: "t1" } }]);
});
