// /livez and /readyz: what the orchestrator and people ask. The answers come from functions that the mode passes in.

import type { FastifyPluginAsync } from "fastify";

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** What is the case, and the remedy where there is one. */
  readonly detail: string;
}

export interface HealthSource {
  /** Is this process of any use? Never asks whether Redis or a chat service is there: a restart would not bring them back. */
  live(): readonly Check[];
  /** Does everything work? */
  ready(): readonly Check[];
  /** Shall senders be sent here, and may one that it replaces end? From its contact with Redis until SIGTERM. */
  serving(): readonly Check[];
}

export function health(source: HealthSource): FastifyPluginAsync {
  return async (app) => {
    app.get("/livez", async (_request, reply) => {
      const checks = source.live();
      return reply.code(statusOf(checks)).header("cache-control", "no-store").send(bodyOf(checks));
    });
    app.get<{ Querystring: { serving?: string } }>("/readyz", async (request, reply) => {
      const checks = request.query.serving === undefined ? source.ready() : source.serving();
      return reply.code(statusOf(checks)).header("cache-control", "no-store").send(bodyOf(checks));
    });
  };
}

function statusOf(checks: readonly Check[]): number {
  return checks.every((check) => check.ok) ? 200 : 503;
}

function bodyOf(checks: readonly Check[]): { ok: boolean; checks: readonly Check[] } {
  return { ok: checks.every((check) => check.ok), checks };
}
