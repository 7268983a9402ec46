// What runs in the HTTP thread: the public server with webhooks and web chat, the admin server, the bus, connections.

import { lazyAdmin } from "../admin/lazy.ts";
import { LookDoor } from "../admin/look-door.ts";
import type { BrokerContext } from "../broker/connection.ts";
import { Producer } from "../broker/producer.ts";
import { Sending } from "../broker/sending.ts";
import { wholeLoad } from "../broker/workload.ts";
import { webChat } from "../adapters/web/routes.ts";
import { Bus } from "../bus/bus.ts";
import { clientScript } from "../bus/client-script.ts";
import { RedisBackend } from "../bus/redis-backend.ts";
import { streamSse } from "../bus/sse.ts";
import type { Config } from "../config/config.ts";
import type { Manifest } from "../handlers/manifest.ts";
import { adminServer } from "../http/admin.ts";
import { BodyGate } from "../http/body-gate.ts";
import { figures } from "../http/figures.ts";
import { HttpServer } from "../http/server.ts";
import { databaseOf } from "../redis/connect.ts";
import { Keys } from "../redis/keys.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Part } from "../runtime/part.ts";
import { Recent } from "../runtime/recent.ts";
import type { Emit } from "../telemetry/events.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import { Meter } from "../telemetry/meter.ts";
import { busDoor } from "./bus-door.ts";
import { exposedOf } from "./exposed.ts";
import { workerHealth } from "./health.ts";
import { HttpConnection } from "./http-connection.ts";
import type { Pulse } from "./pulse.ts";
import { RouteNumbers } from "./route-numbers.ts";
import { type Line, takeLine } from "./web-line.ts";
import { webhooks } from "./webhooks.ts";

export interface HttpPartsOptions {
  readonly config: Config;
  readonly manifest: Manifest;
  readonly pulse: Pulse;
  /** Of the whole process; one of its own where left out. */
  readonly meter?: Meter;
  readonly clockOffset: Float64Array;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
  readonly tracing?: Tracing | undefined;
}

export interface HttpParts {
  /** From first to last; they stop in the reverse order. */
  readonly parts: readonly Part[];
  readonly publicServer: HttpServer;
  readonly admin: HttpServer;
  readonly bus: Bus;
}

/** A sender that keeps its connection uses it more often than this, or is unlikely to use it just when we end. */
const LINGER_MS = 1_000;
/** Redis is asked at most this often, however many scrape and scale. */
const FIGURES_MS = 1_000;

export function httpParts(options: HttpPartsOptions): HttpParts {
  const { config, manifest, clock, random, emit } = options;
  // 1. Connections. Large bodies have one of their own, so that a line of chat does not wait behind megabytes.
  const open = { url: config.redisUrl ?? "", clock, random };
  const bodies = new HttpConnection({ ...open, name: "bodies", purpose: "commands" });
  const chat = new HttpConnection({ ...open, name: "chat", purpose: "commands", onReady: () => numbers.forget() });
  const bells = new HttpConnection({ ...open, name: "bells", purpose: "subscriber" });
  const keys = new Keys(config.namespace, databaseOf(config.redisUrl ?? ""));
  const sending = new Sending({ emit, clock });
  const context = ({ client }: HttpConnection): BrokerContext => {
    const clockOffsetMs = (): number => options.clockOffset[0] ?? 0;
    return { client, keys, clockOffsetMs, durability: config.durability, sending };
  };
  const limits = { deliveries: config.queueLimit, bytes: config.queueBytes };
  const producer = new Producer({ ...context(bodies), limits, random, clock });
  const numbers = new RouteNumbers(context(chat), manifest.routeIds);
  // 2. The public server: webhooks, the bus, the web chat.
  const backend = new RedisBackend({ commands: chat.client, subscriber: bells.client, keys });
  const bus = new Bus({ backend, clock, random, emit });
  const hooks = webhooks({
    routes: manifest.http,
    gate: new BodyGate({ clock }),
    clock,
    emit,
    check: () => bodies.check(),
    numberOf: (id) => numbers.of(id),
    enqueue: (queue, delivery) => producer.enqueue(queue, delivery),
    tracing: options.tracing,
  });
  const web = chatOf(options, { bus, chat, context: context(chat), limits });
  const told = { client: chat.client, keys };
  const {
    plugin: readers,
    parts: doors,
    door,
  } = busDoor({ bus, context: told, rules: manifest.bus, clock, random, emit });
  const shared = { emit, random };
  const plugins = [hooks, readers, clientScript, ...(config.adapters.includes("web") ? [web] : [])];
  const publicServer = new HttpServer({
    ...shared,
    name: "http",
    host: config.httpHost,
    port: config.httpPort,
    plugins,
    clock,
    lingerMs: config.dev ? 0 : LINGER_MS,
  });
  // 3. The admin server: probes, figures, the admin site.
  const health = workerHealth({ pulse: options.pulse, connections: [bodies, chat, bells], clock });
  const load = new Recent({ read: () => wholeLoad(context(chat)), maxAgeMs: FIGURES_MS, clock });
  const look = async () => {
    chat.check();
    return load.get();
  };
  const exposed = exposedOf({ meter: options.meter ?? new Meter(), pulse: options.pulse, bus: { bus, door } });
  const looks = new LookDoor({ config, mode: "worker", ...told, subscriber: bells.client, clock });
  const clockOffsetMs = (): number => options.clockOffset[0] ?? 0;
  const site = lazyAdmin({ config, clock, random, emit, door: looks, clockOffsetMs });
  const admin = adminServer({
    ...shared,
    host: config.adminHost,
    port: config.adminPort,
    health,
    plugins: [figures(look, exposed), site.plugin],
  });
  return { parts: [bodies, chat, bells, bus, ...doors, looks, admin, site, publicServer], publicServer, admin, bus };
}

interface ChatParts {
  readonly bus: Bus;
  readonly chat: HttpConnection;
  readonly context: BrokerContext;
  readonly limits: Line["limits"];
}

function chatOf({ config, clock, tracing }: HttpPartsOptions, { bus, chat, context, limits }: ChatParts) {
  const byRoom = config.adapterSettings["web"]?.["order"] === "room";
  return webChat({
    name: config.name,
    people: config.webToken,
    guestIsAdmin: config.dev,
    clock,
    take: async (said) => {
      chat.check();
      return await takeLine(context, { said, limits, byRoom, tracing });
    },
    listen: async (listener) => {
      chat.check();
      await streamSse(bus, listener);
    },
    listeners: () => bus.streams.size,
  });
}
