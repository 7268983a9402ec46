// The handler of the tests in which Redis or all masters are away: a store that shows whether each event was settled once,
// and in its order; and words for a chat service.

import { setTimeout as sleep } from "node:timers/promises";
import { defineHandler, job } from "antiphon";
import { z } from "zod";

const child = job("away.child", z.object({ of: z.string() }));
const texts = z.array(z.string());

export default defineHandler({
  name: "away",
  routes: (r) => ({
    hook: r.post("/away", {
      key: ({ query }) => String(query["key"] ?? ""),
      body: z.object({ id: z.string(), key: z.string(), ms: z.number(), expires: z.enum(["5s", "1h"]).optional() }),
      run: async ({ body: { id, key, ms, expires }, store, enqueue, send }) => {
        const settled = (await store.get(key, texts)) ?? [];
        await sleep(ms);
        if (expires) await send("fake:lobby", id, { expires });
        await enqueue(child, { of: id });
        store.set(key, [...settled, id]);
      },
    }),
    child: r.job(child, {
      run: async ({ input: { of }, store }) => {
        store.set(`child ${of}`, [...((await store.get(`child ${of}`, texts)) ?? []), of]);
      },
    }),
    tick: r.every("1s", { run: ({ slot, store }) => store.set("tick", slot.getTime()) }),
  }),
});
