// The admin app with connections of its own: opened at the first request, closed with the process.

import type { IncomingMessage, ServerResponse } from "node:http";
import { Sending } from "../broker/sending.ts";
import { Bus } from "../bus/bus.ts";
import { RedisBackend } from "../bus/redis-backend.ts";
import type { Config } from "../config/config.ts";
import type { Site } from "../http/lazy-site.ts";
import { Queue } from "../queue/queue.ts";
import { closeRedis, databaseOf, openRedis, type RedisClient } from "../redis/connect.ts";
import { Keys } from "../redis/keys.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Emit } from "../telemetry/events.ts";
import { cookieName } from "./access/callers.ts";
import { accessPlugin } from "./access/plugin.ts";
import { adminApp } from "./app.ts";
import { Audit } from "./audit.ts";
import { diagnosticsRoutes } from "./diagnostics.ts";
import { FarLooks } from "./far-looks.ts";
import type { LookDoor } from "./look-door.ts";
import { supportRoutes } from "./routes-support.ts";
import { dashboardFiles } from "./static.ts";

const CONNECT_MS = 2_000;

export interface SiteOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
  /** Where this process is asked to look into itself. */
  readonly door: LookDoor;
  /** Added to the server's clock, ms; for tests. */
  readonly clockOffsetMs?: () => number;
}

/** Redis may be away: then the site answers so, and is whole again with it. */
export async function openSite(options: SiteOptions): Promise<Site> {
  const { config, clock, random, emit, clockOffsetMs } = options;
  const { redisUrl: url = "", durability } = config;
  const opened: RedisClient[] = [];
  const open = (name: string, purpose: "commands" | "subscriber"): RedisClient => {
    const client = openRedis({ url, name, purpose, onState: () => {}, clock, random });
    opened.push(client);
    return client;
  };
  const client = open("admin", "commands");
  const keys = new Keys(config.namespace, databaseOf(url));
  const sending = new Sending({ emit, clock });
  const context = { client, keys, durability, sending, ...(clockOffsetMs !== undefined && { clockOffsetMs }) };
  const limits = { deliveries: config.queueLimit, bytes: config.queueBytes };
  const subscriber = (): RedisClient => open("admin-results", "subscriber");
  const queue = new Queue({ ...context, subscriber, limits, middleware: [], clock, random }, async () => {});
  const backend = new RedisBackend({ commands: client, subscriber: open("admin-bus", "subscriber"), keys });
  const bus = new Bus({ backend, clock, random, emit });
  await bus.start();
  await Promise.all(opened.map((one) => isThere(one, clock)));
  const audit = new Audit({ client, keys, length: config.auditLength, days: config.auditDays });
  const { adminBasePath: basePath, leaseMs } = config;
  const access = accessPlugin({ config, client, keys, audit, basePath, clock, emit });
  const parts = { queue, context, bus, clock, random, emit, leaseMs, audit };
  const listening = (): RedisClient => open("admin-looks", "subscriber");
  const far = new FarLooks({ config, client, subscriber: listening, keys, clock });
  const app = await adminApp({
    ...parts,
    access,
    cookie: cookieName(config.namespace),
    basePath,
    apiPlugins: [diagnosticsRoutes({ door: options.door, far }), supportRoutes({ config, context, clock })],
    plugins: [dashboardFiles({ traceUrl: config.traceUrl })],
  });
  return {
    answer: (request: IncomingMessage, response: ServerResponse) => app.routing(request, response),
    stop: async () => {
      bus.endStreams();
      await app.close();
      await queue.close();
      await bus.stop();
      await Promise.all(opened.map((one) => closeRedis(one)));
    },
  };
}

/** The first requests must not be refused only because nobody has connected yet. */
async function isThere(client: RedisClient, clock: Clock): Promise<void> {
  if (client.status === "ready") return;
  const late = new AbortController();
  const ready = new Promise<void>((resolve) => client.once("ready", () => resolve()));
  await Promise.race([ready, clock.sleep(CONNECT_MS, late.signal)]);
  late.abort();
}
