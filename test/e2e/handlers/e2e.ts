// The handler of the cluster tests, given to the chart as handlers.inline. Its store lists what was settled, and at which
// attempt: of an event without a key how often, of a key in which order.

import { hostname } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { type Ctx, defineHandler, job } from "antiphon";

/** There is no schema library beside a handler that stands in values: what the tests send is right. */
function as<T>() {
  const types = undefined as { readonly input: T; readonly output: T } | undefined;
  return {
    "~standard": { version: 1 as const, vendor: "e2e", types, validate: (value: unknown) => ({ value: value as T }) },
  };
}

interface Work {
  readonly event: string;
  /** "" when it may run beside all others. */
  readonly key?: string;
  readonly ms?: number;
}

const work = job("e2e.work", as<Work>());
const glutton = job("e2e.glutton", as<Work>());
const heavy = job("e2e.heavy", as<Work>(), { queue: "heavy" });

const PORTION = 16 * 1024 ** 2;

/** Where and how it ran: `first` is the pod where it began for the first time. */
async function done(ctx: Ctx, { event, key = "", ms = 0 }: Work) {
  const first = ms > 1000 ? await ctx.step("first", () => hostname()) : hostname();
  const field = key === "" ? `once ${event}` : `order ${key}`;
  const settled = ((await ctx.store.get(field)) ?? []) as string[];
  if (ms > 0) await pause(ms, undefined, { signal: ctx.signal });
  ctx.store.set(field, [...settled, `${key === "" ? ctx.attempt : event} on ${hostname()}, fence ${ctx.fence}`]);
  return { first, last: hostname(), attempt: ctx.attempt };
}

/** Once: more memory than the pod may have, which is the end of its container. What runs again afterwards finds itself elsewhere. */
async function eat(ctx: Ctx): Promise<void> {
  const here = `${hostname()} ${performance.timeOrigin}`;
  const first = await ctx.step("first eaten", () => here);
  if (first !== here) return;
  const eaten: Buffer[] = [];
  for (;;) eaten.push(Buffer.alloc(PORTION, 1));
}

export default defineHandler({
  name: "e2e",
  routes: (r) => ({
    hook: r.post("/e2e", {
      key: ({ query }) => String(query["key"] ?? ""),
      body: as<Work>(),
      run: async (ctx) => void (await done(ctx, ctx.body)),
    }),
    work: r.job(work, { timeout: "10m", run: (ctx) => done(ctx, ctx.input) }),
    heavy: r.job(heavy, { timeout: "10m", run: (ctx) => done(ctx, ctx.input) }),
    eat: r.job(glutton, {
      timeout: "2m",
      run: async (ctx) => {
        await eat(ctx);
        return done(ctx, ctx.input);
      },
    }),
    tell: r.post("/e2e/tell", {
      key: () => "tell",
      body: as<{ readonly n: number }>(),
      run: ({ body, publish }) => publish("/e2e", body),
    }),
    echo: r.command("echo <word>", { help: "Says it again", run: ({ args }) => args.word }),
    where: r.command("where", { help: "Says which pod answers", run: () => hostname() }),
  }),
});
