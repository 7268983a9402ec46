// How each kind of connection behaves when Redis is slow, away or somewhere else: the ioredis options, with reasons.

import type { ClusterOptions, RedisOptions } from "ioredis";
import { backoffMs } from "../runtime/backoff.ts";
import type { Random } from "../runtime/clock.ts";
import type { Credentials, RedisUrl } from "./url.ts";

/**
 * - `commands`: waits out a short gap, then fails at once until Redis is back.
 * - `subscriber`: as `commands`; subscriptions are renewed by themselves. What was published meanwhile is lost.
 * - `lease`: never waits for a connection, so that a renewal is never applied late.
 */
export type Purpose = "commands" | "subscriber" | "lease";

export interface OptionsFor {
  readonly purpose: Purpose;
  /** CLIENT SETNAME. */
  readonly connectionName: string;
  /** An unanswered command fails after this. */
  readonly commandTimeoutMs: number | undefined;
  readonly random: Random;
}

/** How long one try to connect may take, and then again until the server is ready. With `RETRY` it bounds recovery: below 2 s. */
export const TRY_MS = 1000;
const RETRY = { firstMs: 50, maxMs: 500 };
/** A node of a cluster that owes an answer and is silent for this long is given up. For single servers `Watch` does this, with more care. */
const SILENT_MS = 2000;
const LEASE_TIMEOUT_MS = 800;
const SENTINEL_TIMEOUT_MS = 500;
const SENTINEL_RETRY_MS = 5000;

/** Replies look the same whichever protocol version the server speaks. */
interface Mapping {
  readonly replyMapping: "legacy";
}
type ConnectionOptions = Omit<RedisOptions, "host" | "port" | "path" | "sentinels" | "retryStrategy" | "replyMapping"> &
  Mapping;

/** For a single server and for Sentinel. */
export function redisOptions(url: Exclude<RedisUrl, { kind: "cluster" }>, o: OptionsFor): RedisOptions & Mapping {
  const common: RedisOptions & Mapping = {
    ...connectionOptions(url, o),
    db: url.database,
    enableOfflineQueue: o.purpose !== "lease",
    retryStrategy: (attempt) => backoffMs(attempt - 1, RETRY, o.random),
  };
  if (url.kind === "standalone") return { ...common, host: url.address.host, port: url.address.port };
  return {
    ...common,
    sentinels: [...url.sentinels],
    name: url.name,
    // Without it a master that the Sentinels deposed keeps its clients until it closes their connections.
    failoverDetector: true,
    sentinelCommandTimeout: SENTINEL_TIMEOUT_MS,
    sentinelRetryStrategy: (attempt) => backoffMs(attempt - 1, RETRY, o.random),
    sentinelReconnectStrategy: () => SENTINEL_RETRY_MS,
    enableTLSForSentinelMode: url.tls,
    ...(url.tls && { sentinelTLS: {} }),
    ...(url.sentinelCredentials && {
      sentinelPassword: url.sentinelCredentials.password,
      ...(url.sentinelCredentials.username !== undefined && { sentinelUsername: url.sentinelCredentials.username }),
    }),
  };
}

export function clusterOptions(
  url: Extract<RedisUrl, { kind: "cluster" }>,
  o: OptionsFor,
): ClusterOptions & { redisOptions: ConnectionOptions } {
  return {
    redisOptions: { ...connectionOptions(url, o), socketTimeout: SILENT_MS },
    enableOfflineQueue: o.purpose !== "lease",
    clusterRetryStrategy: (attempt) => backoffMs(attempt - 1, RETRY, o.random),
    slotsRefreshTimeout: TRY_MS,
    // A command that was on its way when its node went may have run: its caller decides, as with a single server.
    retryDelayOnFailover: 0,
    shardedSubscribers: o.purpose === "subscriber",
    // Names stay names, for TLS checks the certificate against them.
    dnsLookup: (address, callback) => callback(null, address),
  };
}

function connectionOptions(url: RedisUrl, o: OptionsFor): ConnectionOptions {
  const timeoutMs = o.commandTimeoutMs ?? (o.purpose === "lease" ? LEASE_TIMEOUT_MS : undefined);
  return {
    replyMapping: "legacy",
    connectionName: o.connectionName,
    connectTimeout: TRY_MS,
    disconnectTimeout: 100,
    // Replies come in order, so a silent connection that is closed ends every command that waits. A timer per command would
    // cost a tenth of the throughput.
    ...(timeoutMs !== undefined && { commandTimeout: timeoutMs }),
    keepAlive: 5000,
    // What was sent and not answered fails as soon as the connection is gone, and is never sent twice: it may have run.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    maxLoadingRetryTime: 500,
    // The server behind this address became a replica: another connection finds the new primary.
    reconnectOnError: (error) => error.message.startsWith("READONLY"),
    ...(url.tls && { tls: {} }),
    ...credentials(url.credentials),
  };
}

function credentials(given: Credentials | undefined): Pick<RedisOptions, "username" | "password"> {
  if (given === undefined) return {};
  return { password: given.password, ...(given.username !== undefined && { username: given.username }) };
}
