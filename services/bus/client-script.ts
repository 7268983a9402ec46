// Serves the browser's client: /bus/client.js, a plain script, and /bus/client.mjs, the same as a module.

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import type { FastifyPluginAsync } from "fastify";

type Files = Readonly<Record<string, string>>;

/** What `npm run build` made of services/client. */
const BUILT = new URL("../client/built/", import.meta.url);
const NAMES = ["client.js", "client.mjs"] as const;
/** Where nothing is built, in the sources, it is bundled at the first request. */
const BUNDLER = new URL("../../scripts/client.ts", import.meta.url);

export const clientScript: FastifyPluginAsync = async (app) => {
  let files: Promise<Files> | undefined;
  for (const name of NAMES) {
    app.get(`/bus/${name}`, async (request, reply) => {
      files ??= load();
      const text = (await files.catch(again))[name] ?? "";
      const tag = `"${createHash("sha256").update(text).digest("base64url")}"`;
      // A page of another origin may use it, too.
      reply.headers({ "cache-control": "no-cache", "access-control-allow-origin": "*", etag: tag });
      if (request.headers["if-none-match"] === tag) return await reply.code(304).send();
      return await reply.type("text/javascript; charset=utf-8").send(text);
    });
  }
  const again = (error: unknown): never => {
    files = undefined;
    throw error;
  };
};

async function load(): Promise<Files> {
  if (!existsSync(new URL(NAMES[0], BUILT))) {
    const { bundleClient } = (await import(BUNDLER.href)) as { bundleClient: () => Promise<Files> };
    return await bundleClient();
  }
  return Object.fromEntries(NAMES.map((name) => [name, readFileSync(new URL(name, BUILT), "utf8")]));
}
