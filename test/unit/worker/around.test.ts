// Middleware around the runs and enqueues of a handler thread.

import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import {
  defineHandler,
  defineMiddleware,
  discard,
  event,
  job,
  type EnqueueCall,
  type Handler,
  type Middleware,
  type RunningCtx,
} from "../../../services/sdk/index.ts";
import { eachServer } from "../../support/redis.ts";
import { openBench, type ThreadBench } from "./thread-bench.ts";

let url = (): string => "";
async function open(handlers: readonly (Handler | Middleware)[]): Promise<ThreadBench> {
  return openBench({ url: url(), handlers });
}

const Ship = job("ship", z.object({ app: z.string() }));
const Shipped = event("shipped", z.object({ app: z.string() }));

/** A command that enqueues a job that emits an event. */
function shipping(seen: unknown[]): Handler {
  return defineHandler({
    name: "deploy",
    routes: (r) => ({
      go: r.command("deploy <app>", {
        meta: { team: "ops" },
        run: async ({ args, enqueue }) => (await enqueue(Ship, { app: args.app }, { key: args.app })).id,
      }),
      ship: r.job(Ship, {
        async run({ input, emit, delivery }) {
          seen.push({ ran: input.app, ...delivery, id: undefined });
          await emit(Shipped, { app: input.app });
          return input.app;
        },
      }),
      heard: r.on(Shipped, {
        run: ({ payload, delivery }) => void seen.push({ heard: payload.app, ...delivery.meta }),
      }),
      logged: r.on(Shipped, { run: () => {} }),
    }),
  });
}

eachServer((_name, urlOf) => {
  beforeAll(() => {
    url = urlOf;
  });

  describe("around runs", () => {
    test("every run goes through every middleware, the lowest order outermost, whatever its route is", async () => {
      const steps: string[] = [];
      const named = (name: string, order: number): Middleware =>
        defineMiddleware({
          name,
          order,
          run: async (ctx, next) => {
            steps.push(`${name} ${ctx.route.kind} ${ctx.route.id}`);
            const value = await next();
            steps.push(`${name} over`);
            return value;
          },
        });
      const bench = await open([named("inner", 5), shipping([]), named("outer", -5)]);
      await bench.say("!deploy api");
      await bench.drive();
      expect(steps.slice(0, 4)).toEqual([
        "outer command deploy.go",
        "inner command deploy.go",
        "inner over",
        "outer over",
      ]);
      const routes = steps.filter((step) => step.startsWith("outer ") && step !== "outer over");
      expect(routes.toSorted()).toEqual([
        "outer command deploy.go",
        "outer event deploy.heard",
        "outer event deploy.logged",
        "outer job deploy.ship",
      ]);
    });

    test("it sees what the handler sees: route with its meta, delivery, attempt, input, message", async () => {
      const seen: Record<string, unknown>[] = [];
      const spy = defineMiddleware({
        name: "spy",
        run: (ctx: RunningCtx, next) => {
          const { route, delivery, attempt, input, message } = ctx;
          seen.push({ route: route.id, meta: route.meta, kind: delivery.kind, key: delivery.key, attempt, input });
          if (message !== undefined) seen.push({ said: message.text });
          return next();
        },
      });
      const bench = await open([shipping([]), spy]);
      await bench.say("!deploy api");
      await bench.drive();
      expect(seen.slice(0, 3)).toEqual([
        {
          route: "deploy.go",
          meta: { team: "ops" },
          kind: "message",
          key: "web:lobby\nweb:ann",
          attempt: 1,
          input: undefined,
        },
        { said: "!deploy api" },
        { route: "deploy.ship", meta: {}, kind: "job", key: "api", attempt: 1, input: { app: "api" } },
      ]);
    });

    test("what it gives is what the handler would have returned; it may also not let it run", async () => {
      const ran: unknown[] = [];
      const bench = await open([
        shipping(ran),
        defineMiddleware({
          name: "loud",
          run: async (ctx, next) => (ctx.message ? `${await next()}!` : discard("no")),
        }),
      ]);
      await bench.say("!deploy api");
      const settled = await bench.drive();
      expect(await bench.texts()).toEqual([`${settled[1]?.origin}!`]);
      expect(JSON.parse(settled[1]?.history ?? "")).toMatchObject({ notes: ["discarded: no"] });
      expect(ran).toEqual([]);
    });

    test("one that throws fails the run under its name, and the run is tried again", async () => {
      const broken = defineMiddleware({
        name: "tenant",
        run: (ctx, next) => {
          if (ctx.attempt === 1 && ctx.route.kind === "job") throw new Error("no tenant");
          return next();
        },
      });
      const ran: unknown[] = [];
      const bench = await open([shipping(ran), broken]);
      await bench.say("!deploy api");
      await bench.drive();
      const [failure] = bench.events.filter(({ name }) => name === "run.failed");
      expect(failure?.fields).toMatchObject({ route: "deploy.ship", attempt: 1 });
      expect(failure?.fields["error"]).toMatchObject({ code: "MIDDLEWARE_FAILED" });
      expect(String(failure?.fields["error"])).toContain("tenant: Error: no tenant");
      bench.offsetMs += 600_000;
      await bench.drive();
      expect(ran).toContainEqual(expect.objectContaining({ ran: "api" }));
    });
  });

  describe("around enqueues", () => {
    test("meta goes from who enqueues to who runs, and on from there", async () => {
      const trace = defineMiddleware({
        name: "trace",
        enqueue: (call, next) => next({ meta: { ...call.meta, trace: call.from?.meta["trace"] ?? "t1" } }),
      });
      const seen: unknown[] = [];
      const bench = await open([shipping(seen), trace]);
      await bench.say("!deploy api");
      await bench.drive();
      expect(seen).toEqual([
        { ran: "api", kind: "job", queue: "default", key: "api", meta: { trace: "t1" } },
        { heard: "api", trace: "t1" },
      ]);
    });

    test("it sees each enqueue and emit once, with its options and from where, and hears the ids", async () => {
      const calls: (Partial<EnqueueCall> & { ids: number })[] = [];
      const watch = defineMiddleware({
        name: "watch",
        enqueue: async (call, next) => {
          const { ids } = await next();
          const { kind, name, input, options, from } = call;
          calls.push({ kind, name, input, options, ...(from && { from: { ...from, id: "" } }), ids: ids.length });
          return { ids };
        },
      });
      const bench = await open([shipping([]), watch]);
      await bench.say("!deploy api");
      await bench.drive();
      const from = { id: "", attempt: 1, meta: {} };
      expect(calls).toEqual([
        {
          kind: "job",
          name: "ship",
          input: { app: "api" },
          options: { key: "api" },
          from: { ...from, route: "deploy.go", key: "web:lobby\nweb:ann" },
          ids: 1,
        },
        {
          kind: "event",
          name: "shipped",
          input: { app: "api" },
          options: {},
          from: { ...from, route: "deploy.ship", key: "api" },
          ids: 2,
        },
      ]);
    });

    test("it may change input and options", async () => {
      const seen: unknown[] = [];
      const shift = defineMiddleware({
        name: "shift",
        enqueue: (call, next) =>
          call.kind === "job" ? next({ input: { app: "web" }, options: { ...call.options, key: "one" } }) : next(),
      });
      const bench = await open([shipping(seen), shift]);
      await bench.say("!deploy api");
      await bench.drive();
      expect(seen[0]).toMatchObject({ ran: "web", key: "one" });
    });

    test.each([
      [
        "throws",
        (): never => {
          throw new Error("over quota");
        },
        /quota: Error: over quota/,
      ],
      ["does not call next", () => ({ ids: [] }), /job ship: one of quota did not call next/],
      [
        "gives meta that is no text",
        (_call: EnqueueCall, next: (change: object) => Promise<{ ids: readonly string[] }>) => next({ meta: { n: 1 } }),
        /meta\.n is no text/,
      ],
      [
        "gives too much meta",
        (_call: EnqueueCall, next: (change: object) => Promise<{ ids: readonly string[] }>) =>
          next({ meta: { n: "x".repeat(3000) } }),
        /more than 2048 bytes of meta/,
      ],
    ])("one that %s fails the enqueue, and nothing is written", async (_what, enqueue, reason) => {
      const ran: unknown[] = [];
      const bench = await open([shipping(ran), defineMiddleware({ name: "quota", enqueue })]);
      await bench.say("!deploy api");
      await bench.drive();
      const [failure] = bench.events.filter(({ name }) => name === "run.failed");
      expect(String(failure?.fields["error"])).toMatch(reason);
      expect(ran).toEqual([]);
    });
  });
});
