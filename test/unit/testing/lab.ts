// A handler for the tests of the test kit: a little of everything.

import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { defineHandler, event, job } from "../../../services/sdk/index.ts";

export const Count = job("lab.count", z.object({ name: z.string() }));
export const Counted = event("lab.counted", z.object({ name: z.string(), count: z.number() }));

/** What handlers did, in the test's own thread. */
export const journal: string[] = [];

const count = z.number().default(0);

export const lab = defineHandler({
  name: "lab",
  config: z.object({
    room: z.templateLiteral([z.string(), ":", z.string()]).default("web:lobby"),
    ms: z.number().default(0),
  }),
  setup: () => journal.push("setup"),
  teardown: () => journal.push("teardown"),
  routes: (r) => ({
    echo: r.command("echo <text...>", { run: ({ args }) => args.text }),
    grow: r.command("grow", {
      async run({ reply, edit }) {
        const { ref } = await reply("a");
        await edit(ref, "aa");
        await edit(ref, "aaa");
      },
    }),
    whisper: r.command("whisper", { run: ({ reply }) => reply("psst", { private: true }) }),
    thread: r.command("thread", { run: ({ reply }) => reply("below", { thread: true }) }),
    like: r.hear(/cake/, { run: ({ reply, react }) => reply("I like it").then(({ ref }) => react(ref, "heart")) }),
    secret: r.command("secret", { restrictTo: ["keepers"], run: () => "42" }),
    fail: r.command("fail", {
      run() {
        throw new Error("the kettle is empty");
      },
    }),
    today: r.command("today", { run: () => new Date().toISOString().slice(0, 10) }),
    hang: r.command("hang", { run: () => new Promise(() => {}) }),
    slow: r.command("slow", {
      timeout: "10s",
      run: async ({ signal }) => pause(60_000, undefined, { signal }),
    }),
    count: r.command("count <name>", {
      async run({ args, enqueue, reply }) {
        journal.push(`count ${args.name}`);
        try {
          await enqueue(Count, { name: args.name }, { key: args.name });
          await reply(`counting ${args.name}`);
        } catch (error) {
          journal.push(`caught ${String(error)}`);
        } finally {
          journal.push(`finally ${args.name}`);
        }
      },
    }),
    later: r.command("later <name>", {
      run: ({ args, enqueue }) => enqueue(Count, { name: args.name }, { delay: "1h" }),
    }),
    counting: r.job(Count, {
      async run({ input, store, emit, log, config, attempt }) {
        journal.push(`counting ${input.name}, attempt ${attempt}`);
        await pause(config.ms);
        const next = ((await store.get(input.name, count)) ?? 0) + 1;
        store.set(input.name, next);
        log.info("counted", { name: input.name, next });
        await emit(Counted, { name: input.name, count: next });
      },
    }),
    counted: r.on(Counted, {
      run: ({ payload, send, config }) => send(config.room, `${payload.name}: ${payload.count}`),
    }),
    flaky: r.post("/flaky", {
      attempts: 3,
      async run({ attempt, send, config }) {
        if (attempt < 3) throw new Error(`attempt ${attempt}`);
        await send(config.room, `attempt ${attempt} worked`);
      },
    }),
    hook: r.post("/hooks/:repo", {
      body: z.object({ sha: z.string() }),
      hmac: { header: "x-hub-signature-256", secret: () => "s3cret" },
      run: ({ params, body, send, config }) => send(config.room, `${params.repo}@${body.sha}`),
    }),
    find: r.get("/find", {
      query: z.object({ what: z.string() }),
      run: ({ query, send, config }) => send(config.room, `looking for ${query.what}`),
    }),
  }),
});

export const clockwork = defineHandler({
  name: "clockwork",
  routes: (r) => ({
    daily: r.cron("0 9 * * *", { tz: "UTC", run: ({ send }) => send("web:lobby", "good morning") }),
    hourly: r.every("6h", { run: ({ send }) => send("web:lobby", "cuckoo") }),
  }),
});
