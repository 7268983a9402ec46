// Which connections a server still has: how the death of a process is seen from outside.

import { Cluster } from "ioredis";
import type { RedisClient } from "./connect.ts";

/** Under this name a worker opens the connection whose close means that it is dead. */
export function workerConnection(pod: string): string {
  return `worker-commands:${pod}`;
}

/** As CLIENT LIST shows the name that a connection was opened with. */
export function shownName(name: string): string {
  return `antiphon:${name.replaceAll(/\s/g, "_")}`;
}

/**
 * Those of `ids` that are connected now, with the names that they show. Undefined where that cannot be asked: a proxy or a
 * user without CLIENT, or a Cluster, whose nodes count their connections each for themselves.
 */
export async function connectedOf(
  client: RedisClient,
  ids: readonly string[],
): Promise<Map<string, string> | undefined> {
  if (ids.length === 0) return new Map();
  if (client instanceof Cluster) return undefined;
  try {
    const lines = String(await client.call("CLIENT", "LIST", "ID", ...ids)).split("\n");
    const found = lines.map((line) => /^id=(\d+) (?:.* )?name=(\S*)/.exec(line));
    return new Map(found.flatMap((match) => (match ? [[match[1] ?? "", match[2] ?? ""] as const] : [])));
  } catch (error) {
    if (error instanceof Error && /^(ERR|NOPERM)\b/.test(error.message)) return undefined;
    throw error;
  }
}
