// The one place that opens connections to Redis: by URL and purpose, each with a name, each watched.
//
// A server that is away, silent or has another password is no error here: it is told by `onState`, and tried again for ever,
// so that a connection is usable at most 2 s after its server is. Commands meanwhile fail within about as long.

import { Cluster, Redis } from "ioredis";
import { type Clock, type Random, systemClock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { withDeadline } from "../runtime/part.ts";
import { shownName } from "./clients.ts";
import { clusterOptions, type OptionsFor, type Purpose, redisOptions } from "./options.ts";
import { parseRedisUrl } from "./url.ts";
import { type RedisState, Watch } from "./watch.ts";

export type { Purpose } from "./options.ts";
export type { RedisState } from "./watch.ts";
export { databaseOf } from "./url.ts";

export type RedisClient = Redis | Cluster;

export interface ConnectOptions {
  readonly url: string;
  /** Shown by CLIENT LIST as `antiphon:<name>`. */
  readonly name: string;
  readonly purpose: Purpose;
  /** Told at every change. Only a `commands` connection checks whether the server is fit. */
  onState(state: RedisState, detail?: string): void;
  /** How long a command may go unanswered; for a `lease` connection 800 unless given. */
  readonly commandTimeoutMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

const CLOSE_MS = 500;
const watches = new WeakMap<RedisClient, Watch>();
const openings = new WeakMap<
  RedisClient,
  { readonly options: ConnectOptions; readonly siblings: Map<string, RedisClient> }
>();

/** Throws CONFIG_INVALID for a URL that makes no sense, and nothing else. */
export function openRedis(options: ConnectOptions): RedisClient {
  const url = parseRedisUrl(options.url);
  const { clock = systemClock, random = Math.random } = options;
  const o: OptionsFor = {
    purpose: options.purpose,
    connectionName: shownName(options.name),
    commandTimeoutMs: options.commandTimeoutMs,
    random,
  };
  const client =
    url.kind === "cluster" ? new Cluster([...url.nodes], clusterOptions(url, o)) : new Redis(redisOptions(url, o));
  const watch = new Watch({
    client,
    patient: options.purpose !== "lease",
    checkFitness: options.purpose === "commands",
    hasPassword: url.credentials !== undefined,
    tls: url.tls,
    onState: (state, detail) => options.onState(state, detail),
    clock,
    random,
  });
  watches.set(client, watch);
  openings.set(client, { options, siblings: new Map() });
  watch.start();
  return client;
}

/**
 * A second connection to the same Redis, for what would hold up everything else: opened at the first call of this name,
 * closed with the first one. Of a connection that was not opened here: that connection itself.
 */
export function siblingOf(client: RedisClient, name: string): RedisClient {
  const opening = openings.get(client);
  if (opening === undefined) return client;
  const known = opening.siblings.get(name);
  if (known !== undefined) return known;
  const { options } = opening;
  const sibling = openRedis({ ...options, name: `${options.name}-${name}`, purpose: "subscriber", onState: () => {} });
  opening.siblings.set(name, sibling);
  return sibling;
}

/** What is thrown where this connection cannot be used: with the reason, which may take a moment to be known. */
export async function unusable(client: RedisClient, cause: unknown): Promise<AntiphonError> {
  const { state, detail } = (await watches.get(client)?.problem()) ?? { state: "away", detail: "" };
  if (state === "unfit") return new AntiphonError("REDIS_UNFIT", detail, { cause });
  if (state === "ready" && cause instanceof AntiphonError) return cause;
  return new AntiphonError("REDIS_UNAVAILABLE", state === "away" ? detail : "", { cause });
}

/** Lets what was sent be answered, for a moment, and closes. */
export async function closeRedis(client: RedisClient): Promise<void> {
  const siblings = [...(openings.get(client)?.siblings.values() ?? [])];
  openings.delete(client);
  await Promise.all(siblings.map((sibling) => closeRedis(sibling)));
  await watches.get(client)?.stop();
  try {
    if (client.status === "ready") await withDeadline(client.quit(), CLOSE_MS, "Closing the connection to Redis");
  } catch {
    // It is closed below in any case.
  } finally {
    client.disconnect();
  }
}
