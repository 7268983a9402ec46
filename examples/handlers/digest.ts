// Collects what was announced and deployed and says it each weekday morning; `antiphon digest` says it now.

import { defineHandler, job } from "antiphon";
import { z } from "zod";
import { Shipped } from "./deploy.ts";
import { Announced } from "./github.ts";

const Note = job("digest.note", z.object({ text: z.string() }));
const Say = job("digest.say", z.object({}));
const Lines = z.array(z.string());

/** Jobs of one key run one at a time, so none overwrites what another has just stored. */
const KEY = { key: "digest" };
const LINES_MAX = 50;

export default defineHandler({
  name: "digest",
  config: z.object({
    room: z.templateLiteral([z.string().min(1), ":", z.string().min(1)]).default("web:lobby"),
  }),
  routes: (r) => ({
    announced: r.on(Announced, {
      async run({ payload, enqueue }) {
        await enqueue(Note, { text: payload.text.split("\n")[0] ?? "" }, KEY);
      },
    }),
    shipped: r.on(Shipped, {
      async run({ payload, enqueue }) {
        await enqueue(Note, { text: `${payload.app} was deployed to ${payload.env}` }, KEY);
      },
    }),
    morning: r.cron("0 9 * * 1-5", {
      tz: "Europe/Paris",
      async run({ enqueue }) {
        await enqueue(Say, {}, KEY);
      },
    }),
    now: r.command("digest", {
      help: "Says what happened since the last digest",
      async run({ enqueue }) {
        await enqueue(Say, {}, KEY);
      },
    }),
    note: r.job(Note, {
      async run({ input, store }) {
        const lines = (await store.get("lines", Lines)) ?? [];
        store.set("lines", [...lines, input.text].slice(-LINES_MAX));
      },
    }),
    say: r.job(Say, {
      async run({ config, store, send }) {
        const lines = (await store.get("lines", Lines)) ?? [];
        await send(
          config.room,
          ["Since the last digest:", ...(lines.length > 0 ? lines : ["nothing happened"])].join("\n"),
        );
        store.set("lines", []);
      },
    }),
  }),
});
