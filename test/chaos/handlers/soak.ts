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

/**
 * One run. Its store lists what was settled under a key, in order, or of an event without a key how often: right only if
 * each is settled once. It is read at once, because what the delivery before this one stored must be there by then.
 */
async function noted<T>(work: Work, ctx: Ctx, act: () => Promise<T>): Promise<T> {
  const field = work.key === "" ? words.onceField(work.event) : words.orderField(work.key);
  const settled = (await ctx.store.get(field, z.array(z.string()))) ?? [];
  const run = randomUUID();
  const note = async (phase: words.RunNote["phase"]): Promise<void> => {
    const line: words.RunNote = { phase, run, event: work.event, delivery: ctx.idempotencyKey, worker };
    await redis.rpush(list, JSON.stringify(line));
  };
  await note("begin");
  await sleep(work.ms / 2);
  const result = await act();
  await sleep(work.ms / 2);
  ctx.store.set(field, [...settled, work.event]);
  await note("end");
  return result;
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
        });
      },
    }),
    child: r.job(child, {
      run: (ctx) => {
        const work = { event: words.childOf(ctx.input.of), key: "", ms: words.CHILD_MS };
        return noted(work, ctx, async () => undefined);
      },
    }),
    // Answered at once or with the settle: in both cases after what the line before it was answered.
    line: r.command("soak <event> <key> <ms>", {
      args: z.object({ event: z.string(), key: z.string(), ms: z.coerce.number() }),
      run: async (ctx) => {
        const { args: work } = ctx;
        const answer = words.textOfReply(work.event);
        if (words.saysAtOnce(work.event)) await ctx.reply(answer);
        return noted(work, ctx, async () => (words.saysAtOnce(work.event) ? undefined : answer));
      },
    }),
  }),
});
