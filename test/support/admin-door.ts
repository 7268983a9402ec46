// An admin app with access and the audit log on a real socket: what tests of who may what ask, and how.

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { fastify, type FastifyInstance } from "fastify";
import { afterAll, afterEach, beforeAll } from "vitest";
import { Audit } from "../../services/admin/audit.ts";
import { type AccessConfig, accessPlugin } from "../../services/admin/access/plugin.ts";
import { PROXY_HEADERS, type Role } from "../../services/config/access.ts";
import { answerErrors } from "../../services/http/errors.ts";
import { Keys } from "../../services/redis/keys.ts";
import { closeRedis, openRedis, type RedisClient } from "../../services/redis/connect.ts";
import { type Clock, systemClock } from "../../services/runtime/clock.ts";
import { AntiphonError } from "../../services/runtime/errors.ts";
import type { Emit } from "../../services/telemetry/events.ts";
import { waitFor } from "./wait-for.ts";

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
  /** A list is sent as so many headers of the name. */
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: unknown;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
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
  /** Done in the middle of one. */
  onChange: () => Promise<unknown> = async () => {};

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
      adminProxySignOut: undefined,
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
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const asked = request({
      host: "127.0.0.1",
      port: this.port,
      path,
      method,
      agent: false,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(sent !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(sent) }),
        ...headers,
      },
    });
    asked.end(sent);
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    const text = (await response.setEncoding("utf8").toArray()).join("");
    const isJson = response.headers["content-type"]?.startsWith("application/json") === true;
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: (isJson ? JSON.parse(text) : { text }) as Answered["body"],
    };
  }

  async login(token: string, headers: Readonly<Record<string, string | string[]>> = {}): Promise<LoggedIn> {
    const { body, headers: given } = await this.ask("/api/session", { method: "POST", body: { token }, headers });
    const cookie = given["set-cookie"]?.[0]?.split(";")[0] ?? "";
    return { cookie, "x-csrf-token": String(body["csrf"]) };
  }

  #routes(app: FastifyInstance): void {
    const change = (url: string, role: Role, audit?: string): void => {
      app.route({
        method: "POST",
        url,
        config: { role, ...(audit !== undefined && { audit }) },
        handler: async () => {
          await this.onChange();
          return { changes: ++this.changes };
        },
      });
    };
    change("/api/things/:name", "operator", "thing.change");
    change("/api/secrets", "admin", "secret.change");
    const failing = (url: string, audit: string, error: Error): void => {
      app.route({ method: "POST", url, config: { role: "operator", audit }, handler: () => Promise.reject(error) });
    };
    failing("/api/failing", "thing.fail", new Error("broken"));
    failing("/api/refusing", "thing.refuse", new AntiphonError("NOT_FOUND", ""));
    app.route({ method: "GET", url: "/api/things", config: { role: "viewer" }, handler: async ({ caller }) => caller });
    app.route({ method: "GET", url: "/api/forgotten", handler: async () => ({ everything: true }) });
    app.route({ method: "GET", url: "/", config: { role: "public" }, handler: async () => ({ page: true }) });
  }
}

/** Opens doors on a server for the tests of one `eachServer`, and closes them after each. */
export function adminDoors(getUrl: () => string) {
  let client: RedisClient;
  const opened: AdminDoor[] = [];
  beforeAll(async () => {
    client = openRedis({ url: getUrl(), name: "admin-door", purpose: "commands", onState: () => {} });
    await waitFor(() => client.ping());
  });
  afterAll(() => closeRedis(client));
  afterEach(async () => {
    for (const door of opened.splice(0)) await door.app.close();
  });
  const open = async (options: Partial<DoorOptions> = {}): Promise<AdminDoor> => {
    const door = await new AdminDoor({ client, ...options }).open();
    opened.push(door);
    return door;
  };
  return { open, client: (): RedisClient => client };
}
