// What follows from patterns, paths and schemas, stated as equal types. `tsc` is the test.

import { z } from "zod";
import {
  type ChatCtx,
  type Ctx,
  defineHandler,
  discard,
  done,
  type Fields,
  job,
  type PathParams,
  type PatternArgs,
  retryLater,
} from "../../services/sdk/index.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles only when both types are the same. */
function same<A, B>(_proof: Equal<A, B>): void {}

same<PatternArgs<"deploy <app> [env]">, { app: string; env?: string | undefined }>(true);
same<PatternArgs<"say <text...>">, { text: string }>(true);
same<PatternArgs<"ping">, {}>(true);
same<PathParams<"/hooks/:repo/:id">, { readonly repo: string; readonly id: string }>(true);
same<PathParams<"/">, {}>(true);

const Count = job("count.up", z.object({ by: z.coerce.number().default(1) }));

export const withoutSchemas = defineHandler({
  name: "plain",
  routes: (r) => ({
    add: r.command("add <user> to <group>", {
      run({ args, config, message, said, commands, groups }) {
        same<typeof args, { user: string; group: string }>(true);
        same<typeof config, unknown>(true);
        void [message.user.name, said, commands()[0]?.usage, groups.add("web:ann", "deployers")];
      },
    }),
    noted: r.hear(/#(?<issue>\d+)/, {
      key: "room",
      run({ args, match }) {
        same<typeof args, unknown>(true);
        return match.index;
      },
    }),
    open: r.get("/items/:id", {
      parse: "before",
      limit: 1000,
      key: ({ params }) => params["id"] ?? "",
      run({ body, query, params, headers }) {
        same<typeof body, unknown>(true);
        same<typeof query, Fields>(true);
        same<typeof headers, Fields>(true);
        same<typeof params, { readonly id: string }>(true);
      },
    }),
    later: r.every("5m", { misfire: "skip", run: () => retryLater("10s", { mode: "skip" }) }),
    nightly: r.cron("0 3 * * *", { tz: "UTC", overlap: "skip", run: ({ slot }) => slot.toISOString() }),
    never: r.fallback({ key: (message) => message.room, run: (ctx: ChatCtx) => (ctx.said ? discard("no") : done()) }),
  }),
});

export const withSchemas = defineHandler({
  name: "typed",
  config: z.object({ limit: z.coerce.number() }),
  routes: (r) => ({
    counts: r.job(Count, {
      async run({ input, config, store, log, enqueue, attempt }) {
        same<typeof input, { by: number }>(true);
        same<typeof config, { limit: number }>(true);
        const total = await store.get("total", z.number());
        same<typeof total, number | undefined>(true);
        same<Awaited<ReturnType<typeof anything>>, unknown>(true);
        store.set("total", (total ?? 0) + input.by);
        log.info("counted", { attempt });
        await enqueue(Count, {}, { delay: "1.5h", uid: "once" });
        function anything() {
          return store.get("total");
        }
      },
    }),
    heard: r.hear(/#(?<issue>\d+)/, {
      args: z.object({ issue: z.coerce.number() }),
      run({ args }) {
        same<typeof args, { issue: number }>(true);
      },
    }),
    hook: r.put("/x", {
      headers: z.object({ "x-kind": z.string() }),
      hmac: { header: "x-signature", secret: (config) => String(config.limit), format: "base64" },
      run: ({ headers }) => headers["x-kind"].length,
    }),
  }),
});

/** A function of the author's that serves all kinds of routes. */
export async function announce({ send, react, topic, join, leave }: Ctx): Promise<void> {
  const { ref } = await send("irc/libera:#ops", "hello", { thread: "t", id: "hello" });
  await react(ref, "tada");
  await topic("web:lobby", "today");
  await join("irc/libera:#new");
  await leave("irc/libera:#old");
}
