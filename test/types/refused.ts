// What must not compile. Each line below a @ts-expect-error is an author's mistake that the types have to catch.

import { z } from "zod";
import { defineHandler, event, job } from "../../services/sdk/index.ts";

const Ship = job("deploy.ship", z.object({ app: z.string() }));
const Shipped = event("deploy.shipped", z.object({ app: z.string() }));

export default defineHandler({
  name: "refused",
  config: z.object({ api: z.string() }),
  routes: (r) => ({
    // @ts-expect-error: the schema names an argument that the pattern does not have
    schema: r.command("deploy <app>", { args: z.object({ app: z.string(), nope: z.string() }), run: () => {} }),
    args: r.command("deploy <app> [env]", {
      run({ args, config }) {
        // @ts-expect-error: no such argument
        void args.nope;
        // @ts-expect-error: an optional argument without a schema may be absent
        void args.env.length;
        // @ts-expect-error: no such setting
        void config.nope;
      },
    }),
    typed: r.command("scale <n>", {
      args: z.object({ n: z.coerce.number() }),
      run({ args }) {
        // @ts-expect-error: the schema made a number of it
        void args.n.length;
      },
    }),
    ship: r.job(Ship, {
      async run({ input, enqueue, enqueueAll, batch, emit, send }) {
        // @ts-expect-error: no such input
        void input.nope;
        // @ts-expect-error: wrong input
        await enqueue(Ship, { app: 1 });
        // @ts-expect-error: missing input
        await enqueue(Ship, {});
        // @ts-expect-error: wrong payload
        await emit(Shipped, { sha: "x" });
        // @ts-expect-error: an event is emitted, not enqueued
        await enqueue(Shipped, { app: "x" });
        // @ts-expect-error: a duration without a unit
        await enqueue(Ship, { app: "x" }, { delay: "10" });
        // @ts-expect-error: no such class
        await enqueue(Ship, { app: "x" }, { class: 4 });
        // @ts-expect-error: a text is no moment
        await enqueue(Ship, { app: "x" }, { at: "tomorrow" });
        // @ts-expect-error: no such end
        await enqueue(Ship, { app: "x" }, { unique: { id: "x", until: "done" } });
        // @ts-expect-error: the second input is wrong
        await enqueueAll(Ship, [{ app: "x" }, { app: 1 }]);
        // @ts-expect-error: each member has the input of its own job
        await batch([{ job: Ship, input: { sha: "x" } }], { job: Ship, input: { app: "x" } });
        // @ts-expect-error: a room without its adapter
        await send("lobby", "hello");
      },
    }),
    // @ts-expect-error: a duration without a unit
    slow: r.job(Ship, { timeout: "10", run: () => {} }),
    // @ts-expect-error: a pause without a unit
    listed: r.job(Ship, { retry: ["3s", "30"], run: () => {} }),
    // @ts-expect-error: the job says where its deliveries wait
    placed: r.job(Ship, { queue: "low", run: () => {} }),
    // @ts-expect-error: a rate needs its time
    rated: r.job(Ship, { rate: { limit: 1 }, run: () => {} }),
    // @ts-expect-error: a period without a unit
    often: r.every("10", { run: () => {} }),
    // @ts-expect-error: a cron time needs its time zone
    digest: r.cron("0 9 * * *", { run: () => {} }),
    hook: r.post("/hooks/:repo", {
      body: z.object({ sha: z.string() }),
      run({ params, body, query }) {
        // @ts-expect-error: no such parameter
        void params.nope;
        // @ts-expect-error: no such field
        void body.nope;
        // @ts-expect-error: a query without a schema may be absent or a list
        void query["branch"].length;
      },
    }),
    // @ts-expect-error: the secret is a function of the configuration
    signed: r.post("/signed", { hmac: { header: "x-signature", secret: "s" }, run: () => {} }),
    // @ts-expect-error: no adapter will ever be able to do this
    able: r.fallback({ needs: ["telepathy"], run: () => {} }),
    // @ts-expect-error: a job route needs a job
    mixed: r.job(Shipped, { run: () => {} }),
    // @ts-expect-error: only chat has somebody to reply to
    reply: r.on(Shipped, { run: ({ reply }) => reply("hello") }),
    // @ts-expect-error: a route without run
    idle: r.command("idle", {}),
  }),
});

// @ts-expect-error: a route is made with r
defineHandler({ name: "x", routes: () => ({ a: { run() {} } }) });
// @ts-expect-error: the routes are missing
defineHandler({ name: "x" });
// @ts-expect-error: a job needs a schema
job("x", { app: "string" });
