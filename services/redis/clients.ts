// Which connections a server still has: how the death of a process is seen from outside.

import { Cluster } from "ioredis";
import type { RedisClient } from "./connect.ts";

/**
 * Those of `ids` that are connected now. Undefined where that cannot be asked: a proxy or a user without CLIENT, or a
 * Cluster, whose nodes count their connections each for themselves.
 */
export async function connectedOf(client: RedisClient, ids: readonly string[]): Promise<Set<string> | undefined> {
  if (ids.length === 0) return new Set();
  if (client instanceof Cluster) return undefined;
  try {
    const lines = String(await client.call("CLIENT", "LIST", "ID", ...ids)).split("\n");
    return new Set(lines.flatMap((line) => /^id=(\d+)/.exec(line)?.[1] ?? []));
  } catch (error) {
    if (error instanceof Error && /^(ERR|NOPERM)\b/.test(error.message)) return undefined;
    throw error;
  }
}
