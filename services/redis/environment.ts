// What of a server's settings and state endangers a bot before anything is lost: each check says what is the case, and the
// remedy. It only asks.

import { Cluster, type Redis } from "ioredis";
import type { Clock } from "../runtime/clock.ts";
import type { RedisClient } from "./connect.ts";
import type { Durability } from "./durable.ts";
import { checkServer } from "./fitness.ts";
import { syncWay } from "./fsync.ts";
import type { Keys } from "./keys.ts";
import { NEEDED_FOR, permissionsOf } from "./permissions.ts";

export interface Check {
  readonly name: "server" | "persistence" | "replicas" | "memory" | "connections" | "clock" | "answers" | "permissions";
  /** `unknown`: the server does not say. Only a problem is one. */
  readonly state: "ok" | "warning" | "problem" | "unknown";
  readonly detail: string;
  readonly remedy?: string;
}

export interface EnvironmentOptions {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly durability: Durability;
  readonly clock: Clock;
}

/** Facts of INFO by name, and the settings that its user may read. */
interface Facts {
  readonly info: ReadonlyMap<string, string>;
  readonly settings: ReadonlyMap<string, string>;
  readonly durability: Durability;
}

const MIB = 1024 ** 2;
const CLOCK_MS_MAX = 1_000;
const ANSWER_MS_MAX = 20;
const PINGS = 5;
/** Commands that are named. The remedy allows all of them. */
const DENIED_MAX = 12;

/** Rejects when the server does not answer. */
export async function environmentOf(options: EnvironmentOptions): Promise<Check[]> {
  const { client, durability } = options;
  const [fitness, ...perServer] = await Promise.all([
    checkServer(client),
    ...serversOf(client).map(async (server): Promise<Check[]> => {
      const facts = await factsOf(server, durability).catch(refusedNothing);
      // What its user lacks is all that there is to say.
      if (facts === undefined) return [await permissions(server, options)];
      return [
        await persistence(server, facts),
        replicas(facts),
        memory(facts),
        connections(facts),
        ...((await times(server, options.clock).catch(refusedNothing)) ?? []),
        await permissions(server, options),
      ];
    }),
  ]);
  const server: Check = fitness.ok
    ? { name: "server", state: "ok", detail: fitness.server }
    : { name: "server", state: "problem", detail: fitness.detail };
  return [server, ...perServer.flat()];
}

function serversOf(client: RedisClient): Redis[] {
  return client instanceof Cluster ? client.nodes("master") : [client];
}

const SETTINGS = ["save", "appendfsync", "min-replicas-to-write"];

async function factsOf(server: Redis, durability: Durability): Promise<Facts> {
  const info = (await server.info()).matchAll(/^(\w+):(.*?)\r?$/gm);
  const replies = await Promise.all(
    SETTINGS.map(async (name) => {
      const reply = await server.call("CONFIG", "GET", name).catch(refusedNothing);
      return Array.isArray(reply) && reply.length >= 2 ? [[name, String(reply[1])] as const] : [];
    }),
  );
  return {
    info: new Map([...info].map(([, name = "", value = ""]) => [name, value])),
    settings: new Map(replies.flat()),
    durability,
  };
}

/** A user may be forbidden to ask. */
function refusedNothing(error: unknown): undefined {
  if (!(error instanceof Error) || error.name !== "ReplyError") throw error;
}

async function persistence(server: Redis, { info, settings, durability }: Facts): Promise<Check> {
  const name = "persistence";
  const failed = ["rdb_last_bgsave_status", "aof_last_bgrewrite_status", "aof_last_write_status"].filter(
    (field) => (info.get(field) ?? "ok") !== "ok",
  );
  if (failed.length > 0) {
    const detail = `The last write to its disk failed (${failed.join(", ")}).`;
    return { name, state: "problem", detail, remedy: "See its log; is the disk full, or read-only?" };
  }
  if (durability === "fsync") {
    const problem = await syncWay(server).then(
      () => undefined,
      (error: Error) => error.message,
    );
    if (problem !== undefined) return { name, state: "problem", detail: problem };
  }
  if (info.get("aof_enabled") === "1") {
    const sync = settings.get("appendfsync");
    if (sync === "no")
      return {
        name,
        state: "warning",
        detail: "Its append-only file is synced when the kernel likes (appendfsync no).",
        remedy: "CONFIG SET appendfsync everysec, and in its configuration.",
      };
    return { name, state: "ok", detail: `append-only file${sync === undefined ? "" : `, synced ${sync}`}` };
  }
  const save = settings.get("save");
  if (save === undefined)
    return { name, state: "unknown", detail: "No append-only file; its user may not read `save`." };
  if (save === "")
    return {
      name,
      state: "warning",
      detail: "It keeps nothing: whatever waits is lost when it restarts.",
      remedy: "CONFIG SET appendonly yes, and in its configuration.",
    };
  return {
    name,
    state: "warning",
    detail: `Only snapshots (save ${save}): what came after the last one is lost when it dies.`,
    remedy: "CONFIG SET appendonly yes, and in its configuration.",
  };
}

function replicas({ info, settings, durability }: Facts): Check {
  const name = "replicas";
  const count = Number(info.get("connected_slaves") ?? 0);
  const needed = settings.get("min-replicas-to-write") ?? settings.get("min-slaves-to-write");
  if (durability === "replica" && count === 0) {
    const detail = "ANTIPHON_DURABILITY is replica, and there is none: nothing can be acknowledged.";
    return { name, state: "problem", detail, remedy: "Bring a replica up, or lower ANTIPHON_DURABILITY." };
  }
  if (count > 0 && needed === "0") {
    const detail = `${count} connected, and it writes without them: cut off, it accepts what a failover then loses.`;
    return { name, state: "warning", detail, remedy: "CONFIG SET min-replicas-to-write 1, and in its configuration." };
  }
  if (needed !== undefined && Number(needed) > count) {
    const detail = `It refuses writes: ${count} connected, min-replicas-to-write is ${needed}.`;
    return { name, state: "problem", detail, remedy: "Bring the replicas back." };
  }
  return { name, state: "ok", detail: count === 0 ? "none" : `${count} connected` };
}

function memory({ info }: Facts): Check {
  const name = "memory";
  const [used, most, system] = ["used_memory", "maxmemory", "total_system_memory"].map((f) => Number(info.get(f) ?? 0));
  const says = `${mib(used)} used`;
  if (!most) {
    const isMuch = system !== undefined && system > 0 && (used ?? 0) > system / 2;
    const detail = `${says}, no limit${system ? ` on a machine of ${mib(system)}` : ""}: it grows until the kernel ends it.`;
    const remedy = "CONFIG SET maxmemory to what it may have, with room for a copy while it saves.";
    return { name, state: isMuch ? "problem" : "warning", detail, remedy };
  }
  const share = (used ?? 0) / most;
  const detail = `${says} of ${mib(most)} (${Math.round(share * 100)} %)`;
  if (share < 0.8) return { name, state: "ok", detail };
  const remedy = "Add workers or lower ANTIPHON_QUEUE_BYTES, purge dead letters, or raise maxmemory.";
  return {
    name,
    state: share < 0.95 ? "warning" : "problem",
    detail: `${detail}: full, it refuses every write.`,
    remedy,
  };
}

function mib(bytes = 0): string {
  return `${Math.round(bytes / MIB)} MiB`;
}

function connections({ info }: Facts): Check {
  const name = "connections";
  const [count, most] = ["connected_clients", "maxclients"].map((field) => Number(info.get(field) ?? 0));
  const detail = `${count}${most ? ` of ${most}` : ""}`;
  if (!most || (count ?? 0) < most * 0.8) return { name, state: "ok", detail };
  return { name, state: "warning", detail: `${detail}: beyond that it refuses pods.`, remedy: "Raise maxclients." };
}

async function times(server: Redis, clock: Clock): Promise<Check[]> {
  const tookMs: number[] = [];
  let offMs = 0;
  for (let ping = 0; ping < PINGS; ping++) {
    const began = clock.monotonic();
    const before = clock.now();
    const [seconds, micros] = await server.time();
    tookMs.push(clock.monotonic() - began);
    offMs = Number(seconds) * 1000 + Number(micros) / 1000 - (before + (clock.now() - before) / 2);
  }
  const [answerMs = 0] = tookMs.sort((a, b) => a - b).slice(Math.floor(PINGS / 2));
  return [clockOf(Math.round(offMs)), answersIn(answerMs)];
}

function clockOf(offMs: number): Check {
  const name = "clock";
  if (Math.abs(offMs) <= CLOCK_MS_MAX)
    return { name, state: "ok", detail: `${Math.abs(offMs)} ms from this machine's` };
  const detail = `It is ${(Math.abs(offMs) / 1000).toFixed(1)} s ${offMs > 0 ? "ahead of" : "behind"} this machine's.`;
  return {
    name,
    state: "warning",
    detail,
    remedy: "Have both keep time (NTP). What is due when is decided by Redis' clock.",
  };
}

function answersIn(ms: number): Check {
  const name = "answers";
  const detail = `after ${ms.toFixed(1)} ms`;
  if (ms <= ANSWER_MS_MAX) return { name, state: "ok", detail };
  return {
    name,
    state: "warning",
    detail,
    remedy: "Run the bot near its Redis, or see what keeps it busy (SLOWLOG GET).",
  };
}

async function permissions(server: Redis, { keys, durability }: EnvironmentOptions): Promise<Check> {
  const name = "permissions";
  const more = durability === "default" ? [] : [NEEDED_FOR[durability]];
  const found = await permissionsOf(server, keys, more);
  if (found === undefined)
    return { name, state: "unknown", detail: "The user may not ask for its own permissions (ACL DRYRUN)." };
  const { user, denied, rules } = found;
  if (denied.length === 0) return { name, state: "ok", detail: `user ${user}` };
  const others = denied.length > DENIED_MAX ? ` and ${denied.length - DENIED_MAX} others` : "";
  const which = `${denied.slice(0, DENIED_MAX).join(", ")}${others}`;
  const detail = `The user ${user} may not run, on keys and channels of ${keys.tag}: ${which}.`;
  const remedy = `ACL SETUSER ${user} ${rules.join(" ")}`;
  return { name, state: "problem", detail, remedy };
}
