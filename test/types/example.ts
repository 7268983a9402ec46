// The example of the author's documentation. It must go on compiling as it is.

import { z } from "zod";
import { defineHandler, event, job } from "../../services/sdk/index.ts";
import { close, connect, push, sendDigest } from "./deploy-api.ts";

export const Ship = job("deploy.ship", z.object({ app: z.string(), env: z.string(), msg: z.string() }));
export const Shipped = event("deploy.shipped", z.object({ app: z.string(), sha: z.string() }));

export default defineHandler({
  name: "deploy",
  config: z.object({ hookSecret: z.string(), api: z.url(), frozen: z.boolean().default(false) }),
  setup: ({ config }) => connect(config.api),
  teardown: () => close(),
  routes: (r) => ({
    deploy: r.command("deploy <app> [env]", {
      help: "Ship <app> to staging or prod",
      restrictTo: ["deployers"],
      args: z.object({ app: z.string(), env: z.enum(["staging", "prod"]).default("staging") }),
      async run({ args, config, reply, enqueue }) {
        if (config.frozen) return reply("Deploys are frozen.");
        const status = await reply(`Deploying ${args.app}…`, { thread: true });
        await enqueue(Ship, { ...args, msg: status.ref }, { key: args.app });
      },
    }),
    ship: r.job(Ship, {
      attempts: 5,
      timeout: "10m",
      async run({ input, config, edit, emit, signal, idempotencyKey }) {
        const sha = await push(config.api, input, { signal, idempotencyKey });
        await edit(input.msg, `Shipped ${input.app}@${sha} to ${input.env}`);
        await emit(Shipped, { app: input.app, sha });
      },
    }),
    ci: r.post("/hooks/ci/:repo", {
      body: z.object({ sha: z.string() }),
      query: z.object({ branch: z.string().default("main") }),
      hmac: { header: "x-hub-signature-256", secret: (c) => c.hookSecret },
      dedupe: { header: "x-github-delivery", ttl: "1h" },
      async run({ params, query, body, emit }) {
        if (query.branch === "main") await emit(Shipped, { app: params.repo, sha: body.sha });
      },
    }),
    announce: r.on(Shipped, {
      run: ({ payload, send }) => send("web:lobby", `${payload.app}@${payload.sha} is live`),
    }),
    digest: r.cron("0 9 * * 1-5", { tz: "Europe/Paris", run: () => sendDigest() }),
  }),
});
