// By which way a server says that its append-only file is on disk, if it can say so at all.

import type { Redis } from "ioredis";
import { AntiphonError } from "../runtime/errors.ts";
import { productOf } from "./fitness.ts";

/** `waitaof`: asked by WAITAOF. `reply`: each reply comes after the sync. */
export type SyncWay = "waitaof" | "reply";

/** An operator may change the configuration while the server runs. */
const KNOWN_MS = 10_000;

const known = new WeakMap<Redis, { readonly asked: Promise<SyncWay>; readonly untilMs: number }>();

/** Throws DURABILITY_UNSUPPORTED where there is none. */
export async function syncWay(server: Redis): Promise<SyncWay> {
  const before = known.get(server);
  if (before !== undefined && before.untilMs > performance.now()) return before.asked;
  const asked = ask(server);
  known.set(server, { asked, untilMs: performance.now() + KNOWN_MS });
  asked.catch(() => known.delete(server));
  return asked;
}

async function ask(server: Redis): Promise<SyncWay> {
  const way = syncWayOf(await server.info(), await settings(server));
  if (way === "waitaof" || way === "reply") return way;
  throw new AntiphonError("DURABILITY_UNSUPPORTED", way.reason);
}

export interface SyncSettings {
  /** `always`, `everysec`, `no`; undefined where the server does not tell. */
  readonly appendfsync: string | undefined;
  readonly noSyncOnRewrite: boolean;
}

/** A user may be forbidden to ask. */
async function settings(server: Redis): Promise<SyncSettings> {
  const read = async (name: string): Promise<string | undefined> => {
    const reply = await server.call("CONFIG", "GET", name).catch((error: unknown) => {
      if (error instanceof Error && error.name === "ReplyError") return [];
      throw error;
    });
    return Array.isArray(reply) && reply[1] !== undefined ? String(reply[1]) : undefined;
  };
  const [appendfsync, onRewrite] = await Promise.all([read("appendfsync"), read("no-appendfsync-on-rewrite")]);
  return { appendfsync, noSyncOnRewrite: onRewrite === "yes" };
}

const WAITAOF_SINCE = [7, 2] as const;

/** Judges the text of INFO. */
export function syncWayOf(info: string, { appendfsync, noSyncOnRewrite }: SyncSettings): SyncWay | { reason: string } {
  const { server, version } = productOf(info);
  if (!/^aof_enabled:1\r?$/m.test(info)) {
    return { reason: `${server} keeps no append-only file. Remedy: appendonly yes (the embedded Valkey has none).` };
  }
  if (appendfsync === "no")
    return { reason: `${server} never syncs (appendfsync no). Remedy: appendfsync everysec or always.` };
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > WAITAOF_SINCE[0] || (major === WAITAOF_SINCE[0] && minor >= WAITAOF_SINCE[1])) return "waitaof";
  if (appendfsync === "always" && !noSyncOnRewrite) return "reply";
  return {
    reason: `${server} has no WAITAOF. Remedy: Redis or Valkey 7.2 or newer, or appendfsync always with no-appendfsync-on-rewrite no.`,
  };
}
