// A redis-server of the benchmark's own, on a free port, with nothing but the given persistence.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, Started } from "./processes.ts";

export interface BenchRedis {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const ANSWERS_MS = 5_000;

export type Persistence = "AOF off" | "AOF everysec" | "AOF always";

export async function startRedis(persistence: Persistence, more: readonly string[] = []): Promise<BenchRedis> {
  const folder = mkdtempSync(join(tmpdir(), "antiphon-bench-redis-"));
  const port = await freePort();
  const aof = persistence === "AOF off" ? "no" : "yes";
  const fsync = persistence === "AOF always" ? "always" : "everysec";
  const server = new Started({
    command: "redis-server",
    args: [
      `--port ${port} --bind 127.0.0.1 --dir ${folder} --save `,
      `--appendonly ${aof} --appendfsync ${fsync} --maxmemory-policy noeviction`,
      ...more,
    ].flatMap((line) => line.split(" ")),
  });
  await server.line(/Ready to accept connections/, ANSWERS_MS).catch((error: unknown) => {
    throw new Error(
      `redis-server does not start. Remedy: install it (apt-get install redis-server).\n${String(error)}`,
    );
  });
  return {
    url: `redis://127.0.0.1:${port}`,
    pid: server.pid,
    stop: async () => {
      await server.end("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** As `redis-server --version` says it. */
export function redisVersion(): string {
  try {
    return /v=(\S+)/.exec(execFileSync("redis-server", ["--version"], { encoding: "utf8" }))?.[1] ?? "unknown";
  } catch {
    return "none";
  }
}
