// Builds and starts Antiphon as production runs it: a worker and a master, each a process, on a redis-server of their own.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Started } from "../processes.ts";
import { type Persistence, startRedis } from "../redis.ts";
import type { Subject, Surroundings } from "./subject.ts";

const BUILD = fileURLToPath(new URL("../../../scripts/build.mjs", import.meta.url));
const PACKAGE = fileURLToPath(new URL("../../../package.json", import.meta.url));
/** Laid out like the package; inside the project, whose dependencies it needs, and apart from its dist/, which is in use. */
const BUILT = fileURLToPath(new URL("../../../.antiphon/bench", import.meta.url));
const ENTRY = join(BUILT, "dist", "main.js");
const HANDLERS = fileURLToPath(new URL("../handlers", import.meta.url));
/** So that the flood's backlog is no reason for a 503: what is refused is not what is measured here. */
const QUEUE_BYTES = 8 * 1024 ** 3;

/** From the sources as they are now. */
export function buildAntiphon(): void {
  execFileSync(process.execPath, [BUILD, join(BUILT, "dist")], { stdio: ["ignore", "ignore", "inherit"] });
  copyFileSync(PACKAGE, join(BUILT, "package.json"));
}

export interface ModeOptions extends Surroundings {
  readonly redisUrl: string;
  readonly cwd: string;
  /** Options of Node, for profiles. */
  readonly nodeOptions?: readonly string[];
  /** The folder of handlers, if not those of the flood. */
  readonly handlers?: string;
  /** Settings besides those that all have. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Mode {
  readonly process: Started;
  readonly bootMs: number;
  readonly httpPort: number;
}

/** Resolves when the process says that it serves. */
export async function startMode(mode: "worker" | "master", options: ModeOptions): Promise<Mode> {
  const { redisUrl, tallyPort, chatPort, cwd, nodeOptions = [], handlers = HANDLERS, env = {} } = options;
  const started = new Started({
    args: [...nodeOptions, ENTRY, mode],
    cwd,
    env: {
      REDIS_URL: redisUrl,
      ANTIPHON_HANDLERS: handlers,
      ANTIPHON_ADAPTERS: "web,fake",
      FAKE_URL: `tcp://127.0.0.1:${chatPort}`,
      ANTIPHON_HTTP_HOST: "127.0.0.1",
      ANTIPHON_HTTP_PORT: "0",
      ANTIPHON_ADMIN_HOST: "127.0.0.1",
      ANTIPHON_ADMIN_PORT: "0",
      ANTIPHON_QUEUE_BYTES: String(QUEUE_BYTES),
      LOG_FORMAT: "json",
      NODE_ENV: "production",
      BENCH_TALLY: String(tallyPort),
      ...env,
    },
  });
  const line = await started.line(/"process\.started"/);
  const bootMs = performance.now() - started.startedAt;
  const { urls = "" } = JSON.parse(line) as { urls?: string };
  return { process: started, bootMs, httpPort: Number(/:(\d+)/.exec(urls)?.[1] ?? 0) };
}

export interface AntiphonOptions extends Surroundings {
  readonly persistence: Persistence;
  readonly nodeOptions?: readonly string[];
}

/** One worker, one master. */
export async function startAntiphon({ persistence, nodeOptions, ...around }: AntiphonOptions): Promise<Subject> {
  const cwd = mkdtempSync(join(tmpdir(), "antiphon-bench-"));
  const redis = await startRedis(persistence);
  const options = { ...around, redisUrl: redis.url, cwd };
  const worker = await startMode("worker", { ...options, ...(nodeOptions && { nodeOptions }) });
  const master = await startMode("master", options);
  return {
    name: `Antiphon, ${persistence}`,
    httpPort: worker.httpPort,
    main: worker.process,
    pids: { worker: worker.process.pid, master: master.process.pid, redis: redis.pid },
    bootMs: worker.bootMs,
    stop: async () => {
      await Promise.all([worker.process.end(nodeOptions ? "SIGTERM" : "SIGKILL"), master.process.end("SIGKILL")]);
      await redis.stop();
      rmSync(cwd, { recursive: true, force: true });
    },
  };
}
