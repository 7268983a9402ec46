// The Redis of a laptop, when nobody gave one: `redis-server` or `valkey-server` from PATH, else the embedded Valkey.
//
// What it keeps is in one folder and is loaded again by the next start, however the last one ended. Each kind of server has
// its own files there: after a change of kind the bot begins empty, and finds its old data again when the kind comes back.

import { spawnSync } from "node:child_process";
import { mkdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { type Clock, systemClock } from "../runtime/clock.ts";
import { startEmbedded } from "./embedded.ts";
import { lockFolder } from "./folder-lock.ts";
import { isFitVersion } from "./fitness.ts";
import { startServer } from "./local-server.ts";

export interface LocalRedisOptions {
  readonly dataDir: string;
  /** Do not look for a server on PATH. */
  readonly embeddedOnly?: boolean;
  /** A server from PATH syncs before each reply; the embedded one cannot. */
  readonly fsync?: boolean;
  /** Told when the server ends by itself or cannot save. */
  readonly onProblem?: (detail: string) => void;
  readonly clock?: Clock;
}

export interface LocalRedis {
  readonly url: string;
  readonly kind: "redis-server" | "valkey-server" | "embedded";
  /** Keeps everything, ends the server, frees the folder. Bounded. */
  stop(): Promise<void>;
}

const PROGRAMS = ["redis-server", "valkey-server"] as const;
const LOCK_WAIT_MS = 2000;

/** Throws CONFIG_INVALID when another process works in the folder. */
export async function startLocalRedis(options: LocalRedisOptions): Promise<LocalRedis> {
  // Nothing else may keep the process alive yet, and the clock's sleeps do not.
  const alive = setInterval(() => {}, 60_000);
  return await start(options).finally(() => clearInterval(alive));
}

async function start(options: LocalRedisOptions): Promise<LocalRedis> {
  const { clock = systemClock, onProblem = () => {}, fsync = false } = options;
  mkdirSync(options.dataDir, { recursive: true });
  const dataDir = realpathSync(options.dataDir);
  const lock = await lockFolder({ folder: dataDir, waitMs: LOCK_WAIT_MS, clock });
  try {
    const program = options.embeddedOnly === true ? undefined : PROGRAMS.find(isUsable);
    const server =
      program === undefined
        ? await startEmbedded({ dataDir, onProblem })
        : await startServer({ program, folder: join(dataDir, program), fsync, onProblem, clock });
    const stop = (): Promise<void> => server.stop().finally(() => lock.release());
    let stopping: Promise<void> | undefined;
    return { url: server.url, kind: program ?? "embedded", stop: () => (stopping ??= stop()) };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** On PATH, and new enough: an old one would start and then be refused. */
function isUsable(program: (typeof PROGRAMS)[number]): boolean {
  const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  const version = /^(Redis|Valkey) server v=(\d+\.\d+)/.exec(stdout ?? "");
  return version !== null && isFitVersion(version[1] === "Valkey" ? "Valkey" : "Redis", version[2] ?? "");
}
