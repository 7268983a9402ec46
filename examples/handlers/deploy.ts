// `antiphon deploy api prod`: the work is a job, so it survives the loss of a worker; progress is told by editing one line.

import { setTimeout as pause } from "node:timers/promises";
import { defineHandler, event, job } from "antiphon";
import { z } from "zod";

export const Ship = job("deploy.ship", z.object({ app: z.string(), env: z.string(), line: z.string() }));
export const Shipped = event("deploy.shipped", z.object({ app: z.string(), env: z.string() }));

export default defineHandler({
  name: "deploy",
  // Stands for the real work of a step.
  config: z.object({ stepMs: z.number().int().min(0).default(1000) }),
  routes: (r) => ({
    deploy: r.command("deploy <app> [env]", {
      help: "Ships <app> to staging or prod",
      // Add `restrictTo: ["deployers"]` and declare the group in the settings: then only its members may.
      args: z.object({ app: z.string(), env: z.enum(["staging", "prod"]).default("staging") }),
      async run({ args, reply, enqueue }) {
        const line = await reply(`Deploying ${args.app} to ${args.env}: waiting for its turn`);
        await enqueue(Ship, { ...args, line: line.ref }, { key: args.app }); // one at a time per app
      },
    }),
    ship: r.job(Ship, {
      timeout: "5m",
      async run({ input, config, edit, emit, signal }) {
        const { app, env, line } = input;
        for (const step of ["building", "testing", "rolling out"]) {
          await edit(line, `Deploying ${app} to ${env}: ${step}`);
          await pause(config.stepMs, undefined, { signal });
        }
        await edit(line, `Deployed ${app} to ${env}.`);
        await emit(Shipped, { app, env });
      },
    }),
  }),
});
