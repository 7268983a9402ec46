// The admin API on a real Redis, asked without a socket: a bot with routes, a worker that is driven by hand, and whoever asks.

import { randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { afterEach, beforeEach, expect } from "vitest";
import { type AccessConfig, accessPlugin } from "../../services/admin/access/plugin.ts";
import { adminApp } from "../../services/admin/app.ts";
import { Audit } from "../../services/admin/audit.ts";
import type { Claim, Claims } from "../../services/broker/claims.ts";
import { registerJobs, registerRoutes } from "../../services/broker/routes.ts";
import { Bus } from "../../services/bus/bus.ts";
import { RedisBackend } from "../../services/bus/redis-backend.ts";
import { PROXY_HEADERS } from "../../services/config/access.ts";
import { Queue } from "../../services/queue/queue.ts";
import { closeRedis, openRedis, type RedisClient } from "../../services/redis/connect.ts";
import { systemClock } from "../../services/runtime/clock.ts";
import { Bench, LIMITS, TAKE } from "./broker.ts";
import { waitFor } from "./wait-for.ts";

export const SECRET = "secret-of-admin-0123456789";
export const WATCHER = { name: "wall", role: "viewer", secret: "secret-of-wall-0123456789" } as const;

export type Json = Record<string, unknown>;

export interface Answer {
  readonly status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- Tests look into what was answered.
  readonly body: any;
}

export class AdminApi {
  readonly bench: Bench;
  readonly client: RedisClient;
  readonly queue: Queue;
  readonly audit: Audit;
  readonly bus: Bus;
  readonly failures: unknown[] = [];
  readonly #opened: RedisClient[] = [];
  #app: FastifyInstance | undefined;

  constructor(url: string) {
    this.client = this.#open(url, "commands");
    this.bench = new Bench(this.client, `a${randomUUID()}`);
    const { context } = this.bench;
    const { keys } = context;
    const around = { clock: systemClock, random: Math.random };
    const subscriber = (): RedisClient => this.#open(url, "subscriber");
    this.queue = new Queue({ ...context, ...around, subscriber, limits: LIMITS, middleware: [] }, async () => {});
    this.bus = new Bus({
      backend: new RedisBackend({ commands: this.client, subscriber: subscriber(), keys }),
      ...around,
      emit: () => {},
    });
    this.audit = new Audit({ client: this.client, keys, length: 100, days: 30 });
  }

  async start(basePath = ""): Promise<this> {
    const { client, bench, audit, bus, queue } = this;
    const { context, namespace } = bench;
    const config: AccessConfig = {
      adminToken: SECRET,
      adminTokens: [WATCHER],
      adminTokensFile: undefined,
      adminTrustedProxies: [],
      adminProxyRoles: [],
      adminProxyHeaders: PROXY_HEADERS,
      adminProxySignOut: undefined,
      dev: false,
      namespace,
    };
    const emit = (name: string, fields: object): void => {
      if (name === "http.failed") this.failures.push(fields);
    };
    const around = { clock: systemClock, random: Math.random, emit };
    const access = accessPlugin({ config, client, keys: context.keys, audit, basePath, ...around });
    await bus.start();
    const isThere = (): boolean => this.#opened.every(({ status }) => status === "ready");
    await waitFor(isThere, { what: "Redis", timeoutMs: 20_000 });
    const parts = { queue, context, bus, audit, ...around, leaseMs: 6000, access, cookie: "antiphon", basePath };
    this.#app = await adminApp(parts);
    await registerRoutes(context, ["reports.monthly", "low.slow", "deploy.ship"]);
    await registerJobs(context, new Map([["reports.make", "reports.monthly"]]));
    return this;
  }

  get app(): FastifyInstance {
    if (this.#app === undefined) throw new Error("not started");
    return this.#app;
  }

  async ask(method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<Answer> {
    return this.askAs(SECRET, { method, path, ...(body !== undefined && { body }) });
  }

  async askAs(
    token: string,
    { method, path, body }: { method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE"; path: string; body?: unknown },
  ): Promise<Answer> {
    const answered = await this.app.inject({
      method,
      url: `/api${path}`,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { payload: JSON.stringify(body) }),
    });
    return { status: answered.statusCode, body: answered.body === "" ? undefined : answered.json() };
  }

  /** What is answered with 200. */
  async get(path: string): Promise<Answer["body"]> {
    const { status, body } = await this.ask("GET", path);
    expect({ status, body }).toMatchObject({ status: 200 });
    return body;
  }

  async done(method: "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<Answer["body"]> {
    const answer = await this.ask(method, path, body);
    expect(answer).toMatchObject({ status: 200 });
    return answer.body;
  }

  async enqueue(input: unknown = {}, options: Json = {}): Promise<string> {
    return (await this.done("POST", "/jobs", { job: "reports.make", input, options })).id;
  }

  async take(worker: Claims, slots = 100): Promise<Claim[]> {
    return (await worker.take({ ...TAKE, slots, run: 16 })).runs.flat();
  }

  async stop(): Promise<void> {
    this.bus.endStreams();
    await this.#app?.close();
    await this.queue.close();
    await this.bus.stop();
    await Promise.all(this.#opened.map((client) => closeRedis(client)));
  }

  #open(url: string, purpose: "commands" | "subscriber"): RedisClient {
    const client = openRedis({ url, name: "admin-test", purpose, onState: () => {} });
    this.#opened.push(client);
    return client;
  }
}

/** One for each test of the suite. */
export function adminApis(getUrl: () => string): () => AdminApi {
  let api: AdminApi;
  beforeEach(async () => {
    api = await new AdminApi(getUrl()).start();
  });
  afterEach(async () => {
    await api.stop();
    expect(api.failures).toEqual([]);
  });
  return () => api;
}
