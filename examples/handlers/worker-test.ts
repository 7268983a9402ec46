// For trying out what happens to work when a worker dies. `GET /?name=foo` answers 202 at once; the job waits 10 s and logs
// its success, wherever it runs in the end. `GET /?name=bad` fails and is tried again.

import { setTimeout as pause } from "node:timers/promises";
import { defineHandler, job } from "antiphon";
import { z } from "zod";

const Work = job("worker-test.work", z.object({ name: z.string() }));

export default defineHandler({
  name: "worker-test",
  config: z.object({ ms: z.number().int().min(0).default(10_000) }),
  routes: (r) => ({
    start: r.get("/", {
      query: z.object({ name: z.string().min(1).max(100) }),
      async run({ query, enqueue }) {
        await enqueue(Work, { name: query.name });
      },
    }),
    work: r.job(Work, {
      attempts: 5,
      async run({ input, config, log, attempt, signal }) {
        log.info(`worker-test: ${input.name} begins`, { attempt });
        if (input.name === "bad") throw new Error("This name never works.");
        await pause(config.ms, undefined, { signal });
        log.info(`worker-test: ${input.name} succeeded`, { attempt });
      },
    }),
  }),
});
