// What answers everything on the admin port that has no route of its own: a site that is loaded at the first request, so that
// nothing of it is in memory where nobody looks.

import type { FastifyPluginAsync } from "fastify";
import type { IncomingMessage, ServerResponse } from "node:http";
import { AntiphonError } from "../runtime/errors.ts";
import type { Part } from "../runtime/part.ts";

export interface Site {
  answer(request: IncomingMessage, response: ServerResponse): void;
  stop(deadlineMs: number): Promise<void>;
}

export interface LazySiteOptions {
  readonly load: () => Promise<Site>;
  /** Under which a proxy shows it, and under which it knows its routes; "" for none. A request may leave it out. */
  readonly basePath: string;
}

/** To be stopped before the server is: its streams last. */
export class LazySite implements Part {
  readonly name = "admin site";
  readonly #options: LazySiteOptions;
  #site: Promise<Site> | undefined;
  #stopping = false;

  constructor(options: LazySiteOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {}

  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    const site = await this.#site?.catch(() => undefined);
    await site?.stop(deadlineMs);
  }

  readonly plugin: FastifyPluginAsync = async (app) => {
    // Before a body is parsed: that is the site's own.
    app.addHook("onRequest", async (request, reply) => {
      const site = await this.#loaded();
      const { raw } = request;
      raw.url = withBase(raw.url ?? "/", this.#options.basePath);
      reply.hijack();
      site.answer(raw, reply.raw);
    });
    app.all("/*", async () => {});
  };

  #loaded(): Promise<Site> {
    if (this.#stopping) throw new AntiphonError("REDIS_UNAVAILABLE", "This process is stopping.");
    this.#site ??= this.#options.load().catch((error: unknown) => {
      this.#site = undefined;
      throw error;
    });
    return this.#site;
  }
}

function withBase(url: string, base: string): string {
  return url === base || url.startsWith(`${base}/`) || url.startsWith(`${base}?`) ? url : base + url;
}
