// The bus as a Fastify plugin. Its routes read their own bodies, and answer on the socket themselves.

import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import { extraHeaders } from "./answer.ts";
import type { Handler } from "./handler.ts";
import { acceptUpgrades } from "./upgrades.ts";

const METHODS = ["GET", "POST", "OPTIONS"] as const;

/** `onClose`: the server stops; streams must not hold it up. */
export function fastifyPlugin(handler: Handler, onClose: () => void): FastifyPluginAsync {
  return async (app) => {
    app.removeAllContentTypeParsers();
    // oxlint-disable-next-line max-params -- The signature is Fastify's.
    app.addContentTypeParser("*", (_request, _body, done) => done(null));
    app.addHook("preClose", (done) => {
      onClose();
      done();
    });
    const serve = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      reply.hijack();
      // What other plugins set would be lost with the reply.
      await handler.handle(request.raw, reply.raw, extraHeaders(reply.getHeaders()));
    };
    if (handler.hasWebSockets) acceptUpgrades(app.server, handler);
    for (const path of handler.paths) {
      app.route({ method: [...METHODS], url: path, handler: serve });
      app.route({ method: [...METHODS], url: `${path}/*`, handler: serve });
    }
  };
}
