// `antiphon ship api prod`: the work is a job; each step of it is published on the bus, and the page shows it at once.

import { setTimeout as pause } from "node:timers/promises";
import { defineHandler, job } from "antiphon";
import { z } from "zod";

const STEPS = ["building", "testing", "rolling out"] as const;

export const Ship = job(
  "board.ship",
  z.object({ id: z.string(), app: z.string(), env: z.string(), by: z.string(), startedAt: z.number() }),
);

export default defineHandler({
  name: "board",
  // Stands for the real work of a step.
  config: z.object({ stepMs: z.number().int().min(0).default(2000) }),
  routes: (r) => ({
    start: r.command("ship <app> [env]", {
      help: "Ships <app> to staging or prod, and shows it on the deploy board",
      args: z.object({ app: z.string(), env: z.enum(["staging", "prod"]).default("staging") }),
      async run({ args, message, enqueue, publish }) {
        const deploy = { ...args, id: message.id, by: message.user.name, startedAt: Date.now() };
        await publish("/deploys", { ...deploy, step: "waiting", done: 0 });
        await enqueue(Ship, deploy, { key: args.app }); // one at a time per app
        return `${args.app} goes to ${args.env}.`;
      },
    }),
    ship: r.job(Ship, {
      timeout: "5m",
      async run({ input, config, publish, signal }) {
        for (const [done, step] of STEPS.entries()) {
          await publish("/deploys", { ...input, step, done });
          await pause(config.stepMs, undefined, { signal });
        }
        await publish("/deploys", { ...input, step: "done", done: STEPS.length });
      },
    }),
  }),
});
