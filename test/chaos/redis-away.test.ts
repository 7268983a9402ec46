// What we break: Redis is frozen for 1 s, killed and away for 10 and 60 s, and started again empty, or all masters are down for
// 60 s, under a steady load of webhooks. What must hold: senders hear of an absent Redis, nobody is taken for dead because of
// it, what was accepted is handled once and in order, and a bot on an empty Redis goes on by itself. Nobody but who waits for
// words notices that there is no master.

import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, type TestContext } from "vitest";
import { queueDepth } from "../../services/broker/inspect.ts";
import { readJobs, readRoutes } from "../../services/broker/routes.ts";
import { FakeChat } from "../support/fake-chat.ts";
import { withServer } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";
import { AwayBot } from "./away/bot.ts";
import { AwayLoad } from "./away/load.ts";

/** On a machine that has other things to do everything takes longer. */
const BACK_MS = 60_000;
const TEST_MS = 300_000;

let starting: Promise<unknown> = Promise.resolve();

/** Tests run side by side, because most of their time is waiting; so each ends its own bot. They start one after another. */
async function start({ onTestFinished }: TestContext, chat?: FakeChat): Promise<AwayBot> {
  const started = starting.then(() => AwayBot.start(chat));
  starting = started.catch(() => {});
  const bot = await started;
  onTestFinished(() => bot.stop());
  return bot;
}

/** Until so many more were accepted. */
function flows(load: AwayLoad, bot: AwayBot): Promise<boolean> {
  const { count } = load;
  return explained(
    bot,
    waitFor(() => load.count >= count + 20, { timeoutMs: BACK_MS, what: "webhooks are accepted" }),
  );
}

function explained<T>(bot: AwayBot, waiting: Promise<T>): Promise<T> {
  return waiting.catch((error: unknown) => {
    throw new Error(`${String(error)}\n${bot.lastLines}`, { cause: error });
  });
}

/** A webhook of which the handler says its id in the lobby. Resolves when it is accepted. */
async function says(bot: AwayBot, id: string, expires: "5s" | "1h"): Promise<void> {
  const answer = await fetch(`${bot.urls[0]}/away?key=says`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id, key: "says", ms: 0, expires }),
  });
  expect(answer.status).toBe(202);
}

/** All that was accepted is settled, each once, under each key in order. */
async function accounted(load: AwayLoad, bot: AwayBot): Promise<void> {
  await load.end();
  expect(load.strange).toEqual([]);
  const children = [...load.accepted.values()].flat().map((id) => `child ${id}`);
  const isSettled = async (): Promise<boolean> => {
    const store = await bot.store();
    return children.every((field) => store.has(field)) && (await bot.unsettled()) === 0;
  };
  const missing = async (): Promise<string> => {
    const store = await bot.store();
    const fields = children.filter((field) => !store.has(field));
    const left = `${await bot.unsettled()} deliveries left, ${fields.length} children missing (${fields.slice(0, 5).join(", ")})`;
    return `${left}; of ${JSON.stringify([...load.accepted])} is settled ${JSON.stringify([...store])}`;
  };
  const settled = waitFor(isSettled, { timeoutMs: BACK_MS, what: "everything is settled" });
  await explained(
    bot,
    settled.catch(async (error: unknown) => {
      throw new Error(`${String(error)}: ${await missing()}`, { cause: error });
    }),
  );
  const store = await bot.store();
  for (const [key, ids] of load.accepted) expect(store.get(key), key).toEqual(ids);
  for (const field of children) expect(store.get(field), field).toHaveLength(1);
  expect((await queueDepth(bot, "default")).dead).toBe(0);
}

/** Nobody was taken for dead. */
function nobodyReaped(bot: AwayBot): void {
  expect(bot.logged("claims.reaped", "worker.fenced")).toEqual([]);
}

withServer("redis-server", () => {
  test.concurrent(
    "Redis away for 60 s: nobody is reaped, nothing is lost, doubled or out of order",
    async (context) => {
      const bot = await start(context);
      const load = new AwayLoad("b", bot.urls);
      await flows(load, bot);
      await bot.killServer();
      await sleep(60_000);
      expect(load.refused).toBeGreaterThan(0);
      await bot.startServer("kept");
      await flows(load, bot);
      await accounted(load, bot);
      nobodyReaped(bot);
    },
    TEST_MS,
  );

  test.concurrent(
    "all masters down for 60 s: what is accepted is done at once; its words wait and are said in order, unless they expired",
    async (context) => {
      const chat = await FakeChat.start();
      context.onTestFinished(() => chat.stop());
      const bot = await start(context, chat);
      const load = new AwayLoad("e", bot.urls);
      await flows(load, bot);
      await says(bot, "before", "1h");
      await explained(
        bot,
        waitFor(() => chat.said("lobby").length === 1, { timeoutMs: BACK_MS }),
      );
      await bot.killMaster();
      const ids = Array.from({ length: 20 }, (_, n) => String(n));
      for (const id of ids) await says(bot, id, Number(id) % 4 === 3 ? "5s" : "1h");
      const settled = async (): Promise<unknown> => (await bot.store()).get("says");
      const areDone = async (): Promise<boolean> => ((await settled()) as string[]).length === 21;
      await explained(bot, waitFor(areDone, { timeoutMs: BACK_MS, what: "all is done without a master" }));
      await sleep(60_000);
      await flows(load, bot);
      expect([load.refused, chat.said("lobby")]).toEqual([0, ["before"]]);
      const tick = async (): Promise<number> => Number((await bot.store()).get("tick") ?? 0);
      const last = await tick();
      await bot.startMaster();
      const said = ["before", ...ids.filter((id) => Number(id) % 4 !== 3)];
      const areSaid = (): boolean => chat.said("lobby").length >= said.length;
      await explained(bot, waitFor(areSaid, { timeoutMs: BACK_MS, what: "what waited is said" }));
      expect(chat.said("lobby")).toEqual(said);
      await waitFor(async () => (await tick()) > last, { timeoutMs: BACK_MS, what: "schedules fire again" });
      await accounted(load, bot);
      nobodyReaped(bot);
    },
    TEST_MS,
  );

  test.concurrent(
    "Redis frozen for 1 s and away for 10 s: nobody is reaped, nothing is lost, doubled or out of order",
    async (context) => {
      const bot = await start(context);
      const load = new AwayLoad("a", bot.urls);
      await flows(load, bot);
      bot.freeze();
      await sleep(1_000);
      bot.thaw();
      await flows(load, bot);
      await bot.killServer();
      await sleep(10_000);
      expect(load.refused).toBeGreaterThan(0);
      await bot.startServer("kept");
      await flows(load, bot);
      await accounted(load, bot);
      nobodyReaped(bot);
    },
    TEST_MS,
  );

  test.concurrent(
    "Redis started again empty: workers register again, schedules fire, and all goes on",
    async (context) => {
      const bot = await start(context);
      const before = new AwayLoad("c", bot.urls);
      await flows(before, bot);
      await bot.killServer();
      await sleep(1_000);
      await bot.startServer("empty");
      await flows(before, bot);
      await before.end();
      const load = new AwayLoad("d", bot.urls);
      await flows(load, bot);
      await accounted(load, bot);
      const ids = ["away.hook", "away.child", "away.tick"];
      const isKnown = async (): Promise<boolean> => {
        const known = [...(await readRoutes(bot)).values()];
        return ids.every((id) => known.includes(id)) && (await readJobs(bot)).has("away.child");
      };
      await explained(bot, waitFor(isKnown, { timeoutMs: BACK_MS, what: "routes and jobs are registered" }));
      const tick = async (): Promise<number> => Number((await bot.store()).get("tick") ?? 0);
      const first = await waitFor(tick, { timeoutMs: BACK_MS, what: "a schedule fires" });
      await waitFor(async () => (await tick()) > first);
    },
    TEST_MS,
  );
});
