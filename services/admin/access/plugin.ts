// Who may what at the admin server: a Fastify plugin that finds the caller of each request, refuses what their role may not,
// and has each change in the audit log before it is made.
//
// Denied by default: a route without `config.role` is refused to everybody. "public" is for what says nothing of the bot: the
// page's files and the login.

import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import type { Config } from "../../config/config.ts";
import type { RedisClient } from "../../redis/connect.ts";
import type { Keys } from "../../redis/keys.ts";
import type { Clock } from "../../runtime/clock.ts";
import { AntiphonError, hasCode } from "../../runtime/errors.ts";
import type { Emit } from "../../telemetry/events.ts";
import type { Audit } from "../audit.ts";
import { auditHooks } from "./audit-hooks.ts";
import { Callers, type Found, TooManyTries } from "./callers.ts";
import { Proxies } from "./proxies.ts";
import { type Caller, isAtLeast, type Role } from "./roles.ts";
import { sessionRoutes } from "./session-routes.ts";
import { Sessions } from "./sessions.ts";
import { Tokens } from "./tokens.ts";
import { Tries } from "./tries.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The least role that may. */
    role?: Role | "public";
    /** A change: what it is called in the audit log, e.g. `queue.pause`. */
    audit?: string;
  }
  interface FastifyRequest {
    /** Of a route with a role, not of a public one. */
    readonly caller: Caller;
    /** Whether the caller still may: for answers that last. */
    mayStay(): Promise<boolean>;
  }
}

export type AccessConfig = Pick<
  Config,
  | "adminToken"
  | "adminTokens"
  | "adminTokensFile"
  | "adminTrustedProxies"
  | "adminProxyRoles"
  | "adminProxyHeaders"
  | "adminProxySignOut"
  | "namespace"
  | "dev"
>;

export interface AccessOptions {
  readonly config: AccessConfig;
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly audit: Audit;
  /** Without a slash at its end. */
  readonly basePath?: string;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** Register it before any route, on the app itself: it reaches all that are registered after it. */
export function accessPlugin(options: AccessOptions): FastifyPluginAsync {
  const { audit, emit, basePath = "" } = options;
  const callers = callersOf(options);
  const found = new WeakMap<FastifyRequest, Found>();
  const caller = (request: FastifyRequest): Caller => {
    const known = found.get(request);
    if (known === undefined) throw new AntiphonError("UNAUTHORIZED", "");
    return known.caller;
  };
  const plugin = async (app: FastifyInstance): Promise<void> => {
    app.decorateRequest("caller", {
      getter(this: FastifyRequest): Caller {
        return caller(this);
      },
    });
    app.decorateRequest("mayStay", async function mayStay(this: FastifyRequest): Promise<boolean> {
      const again = await callers.of(this.raw).catch((error: unknown) => (isAway(error) ? found.get(this) : undefined));
      return again !== undefined && allows(again.caller, this.routeOptions.config.role);
    });
    app.addHook("onRequest", async (request, reply) => {
      const { role } = request.routeOptions.config;
      if (request.is404 || role === "public") return;
      void reply.header("cache-control", "no-store");
      const known = await callers.of(request.raw).catch((error: unknown) => refuse(error, reply));
      if (!allows(known.caller, role)) throw new AntiphonError("FORBIDDEN", whyNot(known.caller, role));
      found.set(request, known);
    });
    auditHooks(app, { audit, emit, caller });
    sessionRoutes(app, { callers, audit, basePath, found: (request) => found.get(request), refuse });
  };
  // Its hooks are for the app that it is registered on, and not for itself alone.
  return Object.assign(plugin, { [Symbol.for("skip-override")]: true });
}

function callersOf({ config, client, keys, clock, emit }: AccessOptions): Callers {
  const { adminToken: secret, adminTokens, adminTokensFile: file } = config;
  const admin = secret === undefined ? [] : [{ name: "admin", role: "admin", secret } as const];
  const tokens = new Tokens({ tokens: [...admin, ...adminTokens], file, clock, emit });
  const sessions = new Sessions({ client, keys, tokens, clock });
  const tries = new Tries({ client, keys, clock });
  const { adminTrustedProxies: trusted, adminProxyRoles: roles, adminProxyHeaders: headers } = config;
  const proxies = new Proxies({ trusted, roles, headers });
  const { adminProxySignOut: signOutUrl, dev, namespace } = config;
  return new Callers({ tokens, sessions, tries, proxies, signOutUrl, dev, namespace, emit });
}

function allows(caller: Caller, role: Role | "public" | undefined): boolean {
  return role !== undefined && (role === "public" || isAtLeast(caller.role, role));
}

function whyNot({ name, role }: Caller, needed: string | undefined): string {
  return needed === undefined ? "Nobody may: no role is declared for it." : `${name} is ${role}; it takes ${needed}.`;
}

/** Then nobody knows better: who was let in stays. */
function isAway(error: unknown): boolean {
  return hasCode(error, "REDIS_UNAVAILABLE");
}

function refuse(error: unknown, reply: FastifyReply): never {
  if (error instanceof TooManyTries) void reply.header("retry-after", Math.ceil(error.afterMs / 1000));
  else if (hasCode(error, "UNAUTHORIZED")) void reply.header("www-authenticate", "Bearer");
  throw error;
}
