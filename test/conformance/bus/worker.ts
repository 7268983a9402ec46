// A process of its own that serves a bus, pages with clients, and nothing else; killed by tests.
// Environment: REDIS_URL, BUS_NAMESPACE, BUS_PORT, BUS_HELD_MS.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fastify } from "fastify";
import { clientScript } from "../../../services/bus/client-script.ts";
import { openBus } from "../../../services/bus/plugin.ts";

const { REDIS_URL = "", BUS_NAMESPACE = "", BUS_PORT = "0", BUS_HELD_MS = "25000" } = process.env;
const require = createRequire(import.meta.url);

const PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><title>bus</title><body>`;
/** The clients of a page, by the name that the query gives. */
const SCRIPTS: Readonly<Record<string, readonly string[]>> = {
  published: ["/jquery.js", "/message-bus.js"],
  ours: ["/bus/client.js"],
};

const bus = await openBus({
  backend: "redis",
  url: REDIS_URL,
  namespace: BUS_NAMESPACE,
  access: "open",
  longPollMs: Number(BUS_HELD_MS),
});
const app = fastify();
await app.register(bus.plugin);
await app.register(clientScript);
app.get<{ Querystring: { client?: string } }>("/page", async ({ query }, reply) => {
  const scripts = SCRIPTS[query.client ?? "ours"] ?? [];
  reply.type("text/html; charset=utf-8");
  return PAGE + scripts.map((src) => `<script src="${src}"></script>`).join("");
});
const script = (path: string, file: string): void => {
  const text = readFileSync(require.resolve(file), "utf8");
  app.get(path, async (_request, reply) => reply.type("text/javascript").send(text));
};
script("/jquery.js", "jquery/dist/jquery.js");
script("/message-bus.js", "message-bus-client/assets/message-bus.js");
const address = await app.listen({ port: Number(BUS_PORT), host: "127.0.0.1" });
console.log(`serving ${new URL(address).port}`);
