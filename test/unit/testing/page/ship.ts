import { defineHandler, job } from "antiphon";
import { z } from "zod";
import { push } from "./registry.ts";

const Ship = job("ship.it", z.object({ app: z.string(), line: z.string() }));

export default defineHandler({
  name: "ship",
  config: z.object({ secret: z.string() }),
  routes: (r) => ({
    ask: r.command("ship <app>", {
      restrictTo: ["deployers"],
      async run({ args, reply, enqueue }) {
        const line = await reply(`Shipping ${args.app} …`);
        await enqueue(Ship, { app: args.app, line: line.ref });
      },
    }),
    it: r.job(Ship, {
      async run({ input, edit, idempotencyKey }) {
        const version = await push(input.app, idempotencyKey);
        await edit(input.line, `Shipped ${input.app} ${version}.`);
      },
    }),
    pulled: r.post("/hooks/registry", {
      body: z.object({ image: z.string() }),
      hmac: { header: "x-signature", secret: (config) => config.secret },
      run: ({ body, send }) => send("web:ops", `${body.image} was pulled.`),
    }),
  }),
});
