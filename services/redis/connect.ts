// The one place that opens connections to Redis.

import { Cluster, Redis } from "ioredis";
import { backoffMs } from "../runtime/backoff.ts";

export type RedisClient = Redis | Cluster;
export type Purpose = "commands" | "subscriber" | "lease";
export type RedisState = "connecting" | "ready" | "away" | "unfit";

export interface ConnectOptions {
  readonly url: string;
  /** Shown by CLIENT LIST as `antiphon:<name>`. */
  readonly name: string;
  readonly purpose: Purpose;
  onState(state: RedisState, detail?: string): void;
}

export function openRedis(options: ConnectOptions): RedisClient {
  const client = new Redis(options.url, {
    connectionName: `antiphon:${options.name}`,
    connectTimeout: 1000,
    commandTimeout: options.purpose === "lease" ? 800 : 2000,
    maxRetriesPerRequest: options.purpose === "lease" ? 0 : 1,
    enableOfflineQueue: options.purpose !== "lease",
    autoResendUnfulfilledCommands: false,
    keepAlive: 5000,
    retryStrategy: (times) => backoffMs(times - 1, { firstMs: 50, maxMs: 800 }, Math.random),
  });
  client.on("ready", () => options.onState("ready"));
  client.on("close", () => options.onState("away"));
  client.on("error", (error: Error) => options.onState("away", error.message));
  return client;
}

export async function closeRedis(client: RedisClient): Promise<void> {
  client.disconnect();
}

export function databaseOf(url: string): number {
  return Number(new URL(url).pathname.slice(1) || 0);
}
