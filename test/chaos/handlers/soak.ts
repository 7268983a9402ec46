// The handler of the soak test. Each run notes its begin and its end in a list in Redis, over a connection of the handler's
// own, and in between does what handlers do: says something, enqueues a job, counts in its store.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Ctx, defineHandler, job } from "antiphon";
import { Redis } from "ioredis";
import { z } from "zod";
import * as words from "../soak-words.ts";

interface Work {
  readonly event: string;
  /** "" when it may run beside all others. */
  readonly key: string;
  readonly ms: number;
}

const child = job("soak.child", z.object({ of: z.string() }));

let redis: Redis;
let list = "";
let worker = "";

/** `act` happens in the middle of the run. */
async function noted<T>(work: Work, ctx: Ctx, act: () => Promise<T>): Promise<T> {
  const run = randomUUID();
  const note = async (phase: words.RunNote["phase"]): Promise<void> => {
    const line: words.RunNote = { phase, run, event: work.event, delivery: ctx.idempotencyKey, worker };
    await redis.rpush(list, JSON.stringify(line));
  };
  await note("begin");
  await sleep(work.ms / 2);
  const result = await act();
  await sleep(work.ms / 2);
  await note("end");
  return result;
}

/** Lists what was settled under a key, in order; of an event without a key, how often. Right only if each is settled once. */
async function count({ event, key }: Work, { store }: Ctx): Promise<void> {
  const field = key === "" ? words.onceField(event) : words.orderField(key);
  const before = await store.get(field, z.array(z.string()));
  store.set(field, [...(before ?? []), event]);
}

export default defineHandler({
  name: "soak",
  config: z.object({ redis: z.string(), list: z.string(), worker: z.string() }),
  setup: async ({ config }) => {
    ({ list, worker } = config);
    redis = new Redis(config.redis);
    await redis.ping();
  },
  teardown: () => redis.disconnect(),
  routes: (r) => ({
    hook: r.post("/soak", {
      key: ({ query }) => String(query["key"] ?? ""),
      body: z.object({ event: z.string(), key: z.string(), ms: z.number() }),
      run: (ctx) => {
        const { body: work } = ctx;
        return noted(work, ctx, async () => {
          await ctx.enqueue(child, { of: work.event });
          if (work.key === "") await ctx.send(`fake:${words.fakeRoomOf(work.event)}`, words.textOfHook(work.event));
          await count(work, ctx);
        });
      },
    }),
    child: r.job(child, {
      run: (ctx) => {
        const work = { event: words.childOf(ctx.input.of), key: "", ms: words.CHILD_MS };
        return noted(work, ctx, () => count(work, ctx));
      },
    }),
    // Said now, while the run goes on, or with its settle.
    line: r.command("soak <event> <key> <ms>", {
      args: z.object({ event: z.string(), key: z.string(), ms: z.coerce.number() }),
      run: (ctx) => {
        const { args: work } = ctx;
        return noted(work, ctx, async () => {
          await count(work, ctx);
          if (!words.saysAtOnce(work.event)) return words.textOfReply(work.event);
          await ctx.reply(words.textOfReply(work.event));
          return undefined;
        });
      },
    }),
  }),
});
