// Whether a server can keep what Antiphon promises: its version, its eviction policy, its role. Every refusal says the remedy.

import { Cluster, type Redis } from "ioredis";
import type { RedisClient } from "./connect.ts";

export type Fitness =
  | {
      readonly ok: true;
      /** E.g. `Valkey 9.1.1`. */
      readonly server: string;
    }
  | { readonly ok: false; readonly detail: string };

const MINIMUM = { Redis: "7.0", Valkey: "7.2" } as const;

/** Asks the server; in a cluster, each master. Rejects when there is no answer. */
export async function checkServer(client: RedisClient): Promise<Fitness> {
  const inCluster = client instanceof Cluster;
  const servers: Redis[] = inCluster ? client.nodes("master") : [client];
  const verdicts = await Promise.all(servers.map((server) => checkOne(server, inCluster)));
  return verdicts.find((verdict) => !verdict.ok) ?? verdicts[0] ?? { ok: false, detail: "The cluster has no master." };
}

async function checkOne(server: Redis, inCluster: boolean): Promise<Fitness> {
  try {
    return verdictOf(await server.info(), inCluster);
  } catch (error) {
    // What is forbidden is answered; everything else is a server that does not answer.
    if (!(error instanceof Error) || !error.message.startsWith("NOPERM")) throw error;
    return { ok: false, detail: "Its user may not run INFO. Remedy: grant it +info (ACL SETUSER … +info)." };
  }
}

/** Judges the text of INFO. Everything that is wrong is said at once. */
export function verdictOf(info: string, inCluster: boolean): Fitness {
  const field = (name: string): string => fieldOf(info, name);
  const { product, version, server } = productOf(info);
  const problems: string[] = [];
  if (!isFitVersion(product, version)) {
    problems.push(`It is ${server}. Remedy: use Redis ${MINIMUM.Redis} or Valkey ${MINIMUM.Valkey} or newer.`);
  }
  const policy = field("maxmemory_policy");
  if (policy !== "noeviction") {
    problems.push(
      `Its maxmemory-policy is ${policy || "unknown"}, so it may drop deliveries. Remedy: CONFIG SET maxmemory-policy noeviction, and in its configuration.`,
    );
  }
  if (!inCluster && (field("redis_mode") || field("server_mode")) === "cluster") {
    problems.push("It is part of a cluster. Remedy: write REDIS_URL as redis+cluster://host:port,….");
  }
  if (!inCluster && field("role") === "slave") {
    problems.push(
      "It is a replica and refuses writes. Remedy: point REDIS_URL at the primary, or use redis+sentinel://….",
    );
  }
  return problems.length === 0 ? { ok: true, server } : { ok: false, detail: problems.join(" ") };
}

function fieldOf(info: string, name: string): string {
  return new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1] ?? "";
}

/** Which server this INFO is of. `server`: e.g. `Valkey 9.1.1`. */
export function productOf(info: string): { product: "Redis" | "Valkey"; version: string; server: string } {
  const valkey = fieldOf(info, "valkey_version");
  const product = valkey === "" ? "Redis" : "Valkey";
  const version = valkey === "" ? fieldOf(info, "redis_version") : valkey;
  return { product, version, server: `${product} ${version || "of unknown version"}` };
}

export function isFitVersion(product: "Redis" | "Valkey", version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [majorMin = 0, minorMin = 0] = MINIMUM[product].split(".").map(Number);
  return major > majorMin || (major === majorMin && minor >= minorMin);
}
