// An admin app with access and the audit log on a real socket: what tests of who may what ask, and how.

import { randomUUID } from "node:crypto";
import { fastify, type FastifyInstance } from "fastify";
import type { AddressInfo } from "node:net";
import { Audit } from "../../services/admin/audit.ts";
import { type AccessConfig, accessPlugin } from "../../services/admin/access/plugin.ts";
import { PROXY_HEADERS, type Role } from "../../services/config-access.ts";
import { answerErrors } from "../../services/http/errors.ts";
import { Keys } from "../../services/redis/keys.ts";
import type { RedisClient } from "../../services/redis/connect.ts";
import { type Clock, systemClock } from "../../services/runtime/clock.ts";
import type { Emit } from "../../services/telemetry/events.ts";

export const ANN = { name: "ann", role: "operator", secret: "secret-of-ann-0123456789" } as const;
export const WALL = { name: "wall", role: "viewer", secret: "secret-of-wall-0123456789" } as const;
export const ADMIN = "secret-of-admin-0123456789";

export interface DoorOptions {
  readonly client: RedisClient;
  readonly namespace?: string;
  readonly config?: Partial<AccessConfig>;
  readonly clock?: Clock;
  readonly emit?: Emit;
  readonly offsetMs?: () => number;
}

export interface Asked {
  readonly method?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: { readonly error?: { readonly code: string; readonly message: string } } & Record<string, unknown>;
}

/** Somebody who has logged in. */
export interface LoggedIn {
  readonly cookie: string;
  readonly "x-csrf-token": string;
}

export class AdminDoor {
  readonly app: FastifyInstance;
  readonly audit: Audit;
  readonly namespace: string;
  readonly keys: Keys;
  /** How often a change was made. */
  changes = 0;

  constructor(options: DoorOptions) {
    const { client, namespace = `t${randomUUID()}`, clock = systemClock, emit = () => {}, offsetMs } = options;
    this.namespace = namespace;
    this.keys = new Keys(namespace, 0);
    const around = { client, keys: this.keys };
    this.audit = new Audit({ ...around, length: 100, days: 30, ...(offsetMs && { clockOffsetMs: offsetMs }) });
    const config: AccessConfig = {
      adminToken: ADMIN,
      adminTokens: [ANN, WALL],
      adminTokensFile: undefined,
      adminTrustedProxies: [],
      adminProxyRoles: [],
      adminProxyHeaders: PROXY_HEADERS,
      dev: false,
      namespace,
      ...options.config,
    };
    this.app = fastify({ exposeHeadRoutes: false });
    answerErrors(this.app, { emit, random: () => 0.5 });
    this.app.register(accessPlugin({ config, ...around, audit: this.audit, clock, emit }));
    this.app.register(async (app) => this.#routes(app));
  }

  async open(): Promise<this> {
    await this.app.listen({ host: "127.0.0.1", port: 0 });
    return this;
  }

  get port(): number {
    return (this.app.server.address() as AddressInfo).port;
  }

  async ask(path: string, { method = "GET", token, headers, body }: Asked = {}): Promise<Answered> {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: JSON.parse(text || "{}") as Answered["body"] };
  }

  async login(token: string, headers: Readonly<Record<string, string>> = {}): Promise<LoggedIn> {
    const { body, headers: given } = await this.ask("/api/session", { method: "POST", body: { token }, headers });
    const cookie = given.get("set-cookie")?.split(";")[0] ?? "";
    return { cookie, "x-csrf-token": String(body["csrf"]) };
  }

  #routes(app: FastifyInstance): void {
    const change = (url: string, role: Role, audit?: string): void => {
      app.route({
        method: "POST",
        url,
        config: { role, ...(audit !== undefined && { audit }) },
        handler: async () => ({ changes: ++this.changes }),
      });
    };
    change("/api/things/:name", "operator", "thing.change");
    change("/api/secrets", "admin", "secret.change");
    app.route({ method: "GET", url: "/api/things", config: { role: "viewer" }, handler: async ({ caller }) => caller });
    app.route({ method: "GET", url: "/api/forgotten", handler: async () => ({ everything: true }) });
    app.route({ method: "GET", url: "/", config: { role: "public" }, handler: async () => ({ page: true }) });
  }
}
