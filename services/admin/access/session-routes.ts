// Logging in and out: `session` of the admin API.

import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from "fastify";
import { type Static, type TSchema, Type } from "typebox";
import { AntiphonError } from "../../runtime/errors.ts";
import { ApiError, Done } from "../api.ts";
import { Session } from "../api-bot.ts";
import type { Audit } from "../audit.ts";
import type { Callers, Found } from "./callers.ts";
import { changeBy } from "./roles.ts";
import { IDLE_MS } from "./sessions.ts";

export interface SessionRoutesOptions {
  readonly callers: Callers;
  readonly audit: Audit;
  readonly basePath: string;
  readonly found: (request: FastifyRequest) => Found | undefined;
  /** Adds what belongs to a refusal, and throws it. */
  readonly refuse: (error: unknown, reply: FastifyReply) => never;
}

const Login = Type.Object({ token: Type.String({ minLength: 1, maxLength: 1024 }) }, { additionalProperties: false });
const BODY_BYTES_MAX = 4_096;

export function sessionRoutes(app: FastifyInstance, options: SessionRoutesOptions): void {
  const { callers, found, refuse, audit } = options;
  const url = `${options.basePath}/api/session`;
  const path = `${options.basePath}/`;

  app.route({
    method: "GET",
    url,
    schema: { ...told("showSession", "Who asks, and what they may do."), response: answers(Session) },
    config: { role: "viewer" },
    handler: async (request) => {
      const known = found(request);
      if (known === undefined) throw new AntiphonError("UNAUTHORIZED", "");
      return shown(known);
    },
  });

  app.route<{ Body: Static<typeof Login> }>({
    method: "POST",
    url,
    schema: {
      ...told("login", "Begins a session: sets its cookie."),
      security: [],
      body: Login,
      response: answers(Session),
    },
    config: { role: "public" },
    bodyLimit: BODY_BYTES_MAX,
    handler: async ({ raw, body }, reply) => {
      void reply.header("cache-control", "no-store");
      const begun = await callers.login(raw, body.token).catch((error: unknown) => refuse(error, reply));
      await callers.logout(raw);
      await audit.record(changeBy(begun.found.caller, { action: "session.login", target: "" }));
      const secure = callers.isHttps(raw) ? "; Secure" : "";
      const cookie = `${callers.cookie}=${begun.id}; Path=${path}; Max-Age=${IDLE_MS / 1000}`;
      void reply.header("set-cookie", `${cookie}; HttpOnly; SameSite=Strict${secure}`);
      return shown(begun.found);
    },
  });

  app.route({
    method: "DELETE",
    url,
    schema: { ...told("logout", "Ends the session that a login began."), response: answers(Done) },
    config: { role: "viewer" },
    handler: async (request, reply) => {
      const { name, way } = request.caller;
      if (way === "proxy")
        throw new AntiphonError("FORBIDDEN", `A proxy says that it is ${name}: only it can end that.`);
      await callers.logout(request.raw);
      await audit.record(changeBy(request.caller, { action: "session.logout", target: "" }));
      void reply.header("set-cookie", `${callers.cookie}=; Path=${path}; Max-Age=0; HttpOnly; SameSite=Strict`);
      return { done: true as const };
    },
  });
}

/** As in the other routes of the API. */
function told(
  operationId: string,
  summary: string,
): Pick<FastifySchema, "operationId" | "summary" | "tags" | "security"> {
  return { operationId, summary, tags: ["session"], security: [{ bearer: [] }, { cookie: [] }] };
}

function answers<T extends TSchema>(answer: T): { 200: T; "4xx": typeof ApiError; "5xx": typeof ApiError } {
  return { 200: answer, "4xx": ApiError, "5xx": ApiError };
}

function shown({ caller: { name, role, way }, csrf, signOutUrl }: Found): Static<typeof Session> {
  return { name, role, way, csrf, ...(signOutUrl !== undefined && { signOutUrl }) };
}
