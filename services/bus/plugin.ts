// `antiphon/bus`: the bus for any Node program, with Fastify, Express or Node's own server. Opens its connections and puts
// the parts together.

import {
  closeRedis,
  databaseOf,
  openRedis,
  type Purpose,
  type RedisClient,
  type RedisState,
} from "../redis/connect.ts";
import { type EmbeddedServer, startEmbedded } from "../redis/embedded.ts";
import { isName, Keys } from "../redis/keys.ts";
import { systemClock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { type Part, startAll } from "../runtime/part.ts";
import { type BusCodec, type BusRules, busProblems } from "../sdk/bus.ts";
import type { Emit } from "../telemetry/events.ts";
import { Access } from "./access.ts";
import { type Backend, RETENTION, type Retention } from "./backend.ts";
import { Bus } from "./bus.ts";
import { Door } from "./door.ts";
import { Handler } from "./handler.ts";
import { type BusLimits, Limits } from "./limits.ts";
import { MessageBus } from "./message-bus.ts";
import { type PostgresSettings, postgresProblems } from "./postgres/settings.ts";
import { type BusContext, NodeReport } from "./nodes.ts";
import { RedisBackend } from "./redis-backend.ts";
import { Revocations } from "./revocations.ts";

export type { BusAuthorize, BusCodec, BusCors, BusIdentity, BusRequest, BusRules } from "../sdk/bus.ts";
export type { Filter } from "./filters.ts";
export type { BusLimits } from "./limits.ts";
export type { Heard, Listener } from "./local.ts";
export type { MessageBus, PublishOptions, PublishResult, SubscribeOptions } from "./message-bus.ts";
export type { Position } from "./position.ts";
export type { PostgresSettings } from "./postgres/settings.ts";
export { DistributedCache, type DistributedCacheOptions } from "./distributed-cache.ts";
export { signChannels, type TokenOptions } from "./tokens.ts";

export interface OpenBusOptions extends BusRules {
  /**
   * `memory`: a Valkey in this process, which others cannot reach and which forgets. `postgres`: for those without Redis,
   * who install `pg`. Default: `redis`.
   */
  readonly backend?: "redis" | "postgres" | "memory";
  /** As REDIS_URL, or `postgres://<user>:<password>@<host>:<port>/<database>`. */
  readonly url?: string;
  readonly postgres?: PostgresSettings;
  /** Several buses on one server: each its own. Default: `antiphon`. */
  readonly namespace?: string;
  /** What every channel keeps. Default: 1000 messages, 7 days. */
  readonly retention?: Partial<Retention>;
  /** All channels can be read as one, `subscribeAll` and `globalBacklog`; costs as much memory and time again. */
  readonly globalIndex?: boolean;
  /** The site of what this process publishes, where a call does not say. */
  readonly currentSite?: () => string | undefined;
  /** Before `message-bus/` and `bus/`. Default: `/`. */
  readonly basePath?: string;
  readonly longPolling?: boolean;
  /** How long a poll is held, ms. Default: 25000. */
  readonly longPollMs?: number;
  /** Long polls may be streamed. Default: true. */
  readonly chunked?: boolean;
  /** Beyond so many held connections polls are answered at once. */
  readonly maxActiveClients?: number;
  readonly limits?: Partial<BusLimits>;
  /** What happens inside, for logs. */
  readonly onEvent?: (name: string, fields: Readonly<Record<string, unknown>>) => void;
  /** Told at every change of the connection. */
  readonly onState?: (state: RedisState, detail?: string) => void;
  /** For tests: `zero`: channels begin at 1, as MessageBus' own tests expect. Positions may then come twice. */
  readonly idSeed?: "zero" | "time";
  /** For tests: waited for between reading what channels hold and going live. */
  readonly hooks?: { readonly beforeLive?: (channels: readonly string[]) => Promise<void> };
}

const LONG_POLL_MS = 25_000;
const SWEEP = { shareOfPoll: 20, leastMs: 50, mostMs: 1_000 } as const;

const JSON_CODEC: BusCodec = { encode: (data) => JSON.stringify(data), decode: (text) => JSON.parse(text) as unknown };

/**
 * Resolves when the server was reached.
 * @throws AntiphonError CONFIG_INVALID, REDIS_UNAVAILABLE, POSTGRES_UNAVAILABLE
 */
export async function openBus(options: OpenBusOptions = {}): Promise<MessageBus> {
  check(options);
  const { longPollMs = LONG_POLL_MS, hooks, retention, onEvent } = options;
  const emit: Emit = (name, fields) => onEvent?.(name, fields as Readonly<Record<string, unknown>>);
  const around = { clock: systemClock, random: Math.random, emit };
  const server = new Server(options);
  await server.start();
  const bus = new Bus({
    ...around,
    backend: server.backend,
    keep: { ...RETENTION, ...retention },
    sweepMs: Math.min(SWEEP.mostMs, Math.max(SWEEP.leastMs, longPollMs / SWEEP.shareOfPoll)),
    beforeLive: hooks?.beforeLive,
  });
  const parts: Part[] = [server, bus];
  try {
    await startAll([bus]);
    await bus.backend.heads([REACHED]);
    return await assemble({ options, bus, emit, parts, context: server.context });
  } catch (error) {
    await bus.stop();
    await server.stop();
    throw error;
  }
}

interface Assembly {
  readonly options: OpenBusOptions;
  readonly bus: Bus;
  readonly emit: Emit;
  readonly parts: readonly Part[];
  readonly context: BusContext | undefined;
}

/** Any channel: asked for to see whether the server answers. */
const REACHED = "/__reached";

async function assemble({ options, bus, emit, parts, context }: Assembly): Promise<MessageBus> {
  const { longPollMs = LONG_POLL_MS, longPolling = true, chunked = true, codec = JSON_CODEC } = options;
  const limits = new Limits(options.limits ?? {}, systemClock);
  const { maxActiveClients = limits.max.connections } = options;
  const settings = { longPollMs, longPolling, chunked, maxActiveClients };
  const door = new Door({ bus, access: new Access(options, systemClock), limits, settings });
  const basePath = `/${options.basePath ?? ""}/`.replaceAll(/\/+/g, "/");
  const handler = new Handler({ door, rules: options, basePath, emit, random: Math.random });
  const revocations = new Revocations({ bus, door, clock: systemClock, random: Math.random });
  const around = { bus, door, clock: systemClock, random: Math.random };
  const reports = context === undefined ? [] : [new NodeReport({ ...context, ...around })];
  await startAll([revocations, ...reports]);
  return new MessageBus({
    bus,
    door,
    revocations,
    handler,
    codec,
    emit,
    currentSite: options.currentSite,
    globalIndex: options.globalIndex ?? false,
    maxMessageBytes: limits.max.messageBytes,
    parts: [...parts, revocations, ...reports],
  });
}

function check({ namespace = "antiphon", backend = "redis", url, ...rest }: OpenBusOptions): void {
  const { identify, authorize, access, tokenSecret, codec, onError, headers, cors, websocket } = rest;
  const rules = { identify, authorize, access, tokenSecret, codec, onError, headers, cors, websocket };
  const problems = busProblems(rules as BusRules);
  if (!isName(namespace)) problems.push(`"${namespace}" cannot be a namespace`);
  if (backend !== "memory" && url === undefined) problems.push("url is missing");
  else if (backend === "postgres") problems.push(...postgresProblems(url ?? "", rest.postgres ?? {}));
  if (problems.length > 0) throw new AntiphonError("CONFIG_INVALID", `The bus: ${problems.join("; ")}.`);
}

/** The connections of one bus, and the server where it is in this process. */
class Server implements Part {
  readonly name = "bus server";
  readonly #options: OpenBusOptions;
  readonly #clients: RedisClient[] = [];
  #embedded: EmbeddedServer | undefined;
  #backend: Backend | undefined;
  /** Where processes tell how they stand; undefined without Redis. */
  context: BusContext | undefined;

  constructor(options: OpenBusOptions) {
    this.#options = options;
  }

  get backend(): Backend {
    if (this.#backend === undefined) throw new Error("not started");
    return this.#backend;
  }

  async start(): Promise<void> {
    const { backend, url = "", namespace = "antiphon", globalIndex = false, idSeed = "time" } = this.#options;
    if (backend === "postgres") return await this.#usePostgres();
    if (backend === "memory") this.#embedded = await startEmbedded();
    const at = this.#embedded?.url ?? url;
    const [commands, subscriber] = [this.#open(at, "commands"), this.#open(at, "subscriber")];
    const keys = new Keys(namespace, databaseOf(at));
    this.#backend = new RedisBackend({ commands, subscriber, keys, globalIndex, idSeed });
    this.context = { client: commands, keys };
  }

  /** Loaded here: others need not have `pg`. */
  async #usePostgres(): Promise<void> {
    const { PostgresBackend } = await import("./postgres/backend.ts");
    const {
      url = "",
      namespace = "antiphon",
      globalIndex = false,
      idSeed = "time",
      onState = () => {},
      onEvent,
    } = this.#options;
    const onSweepRefused = (error: unknown): void => onEvent?.("loop.failed", { loop: "bus sweeper", error });
    const around = { clock: systemClock, random: Math.random, onState, onSweepRefused };
    this.#backend = new PostgresBackend({ ...this.#options.postgres, ...around, url, namespace, globalIndex, idSeed });
  }

  async stop(): Promise<void> {
    for (const client of this.#clients.splice(0)) await closeRedis(client);
    await this.#embedded?.stop();
  }

  #open(url: string, purpose: Purpose): RedisClient {
    const onState = (state: RedisState, detail?: string): void => {
      if (purpose === "commands") this.#options.onState?.(state, detail);
    };
    const client = openRedis({ url, name: `bus-${purpose}`, purpose, onState });
    client.on("error", () => {});
    this.#clients.push(client);
    return client;
  }
}
