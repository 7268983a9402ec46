// A `redis-server` or `valkey-server` as our child: its own folder, an append-only file, and an end whenever ours comes.
//
// A terminal's Ctrl-C does not reach it, so that we can drain first. When we are killed a tiny watcher ends it; should the
// watcher have been killed too, the next start ends the server before it opens the same files (stale-server.ts).

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import type { Clock } from "../runtime/clock.ts";
import { closeRedis, openRedis } from "./connect.ts";
import { endStaleServer, removeNote, writeNote } from "./stale-server.ts";

export interface LocalServerOptions {
  readonly program: string;
  readonly folder: string;
  /** Each reply waits for the disk. */
  readonly fsync?: boolean;
  /** Told when the server ends by itself. */
  readonly onProblem: (detail: string) => void;
  readonly clock: Clock;
}

const HOST = "127.0.0.1";
const LOG = "server.log";
/** Loading a large append-only file takes its time. */
const START_MS = 60_000;
const STOP_MS = 5000;
const POLL_MS = 10;
/** Another program may take the free port before the server does. */
const TRIES = 3;

/** Starts the server on a free port and waits until it has loaded its data. The caller holds the lock of the folder. */
export async function startServer(options: LocalServerOptions): Promise<LocalServer> {
  mkdirSync(options.folder, { recursive: true });
  // As the server names it.
  const folder = realpathSync(options.folder);
  await endStaleServer(folder, options.clock);
  for (let tries = 1; ; tries++) {
    const server = new LocalServer({ ...options, folder }, await freePort());
    try {
      await server.ready();
      return server;
    } catch (error) {
      await server.stop();
      if (tries === TRIES) throw error;
    }
  }
}

export class LocalServer {
  readonly url: string;
  readonly #options: LocalServerOptions;
  readonly #server: ChildProcess;
  readonly #watcher: ChildProcess;
  readonly #ended: Promise<void>;
  #state: "starting" | "running" | "stopping" | "ended" = "starting";

  constructor(options: LocalServerOptions, port: number) {
    const { program, folder } = options;
    this.#options = options;
    this.url = `redis://${HOST}:${port}`;
    rmSync(join(folder, LOG), { force: true });
    this.#server = spawn(program, settings(options, port), { stdio: "ignore", detached: true });
    const pid = this.#server.pid ?? 0;
    writeNote(folder, { pid, port });
    this.#watcher = watch(pid);
    this.#ended = new Promise((resolve) => {
      this.#server.once("error", () => resolve(this.#end()));
      this.#server.once("exit", () => resolve(this.#end()));
    });
  }

  /** Rejects when it ends before, or takes too long. */
  async ready(): Promise<void> {
    const { clock, folder, program } = this.#options;
    const end = clock.monotonic() + START_MS;
    const client = openRedis({ url: this.url, name: "local", purpose: "subscriber", onState: () => {} });
    try {
      while (client.status !== "ready") {
        if (this.#state === "ended" || clock.monotonic() > end) {
          throw new Error(`${program} did not start in ${folder}. ${lastLines(folder)}`);
        }
        await clock.sleep(POLL_MS);
      }
      this.#state = "running";
    } finally {
      await closeRedis(client);
    }
  }

  async stop(): Promise<void> {
    if (this.#state !== "ended") this.#state = "stopping";
    this.#server.kill("SIGTERM");
    await Promise.race([this.#ended, this.#options.clock.sleep(STOP_MS)]);
    this.#server.kill("SIGKILL");
    await this.#ended;
    removeNote(this.#options.folder);
  }

  #end(): void {
    const { folder, onProblem, program } = this.#options;
    // Killed before its input ends: it would signal a process number that may be another's by now.
    this.#watcher.kill("SIGKILL");
    if (this.#state === "running") onProblem(`${program} ended by itself. ${lastLines(folder)}`);
    this.#state = "ended";
  }
}

function settings({ folder, fsync = false }: LocalServerOptions, port: number): string[] {
  const given = {
    port: String(port),
    bind: HOST,
    dir: folder,
    appendonly: "yes",
    appendfsync: fsync ? "always" : "everysec",
    save: "",
    "maxmemory-policy": "noeviction",
    loglevel: "warning",
    logfile: join(folder, LOG),
    daemonize: "no",
  };
  return Object.entries(given).flatMap(([name, value]) => [`--${name}`, value]);
}

/** A shell that waits for the end of its input, which comes with our end, and then tells the server to stop. */
function watch(pid: number): ChildProcess {
  const watcher = spawn("sh", ["-c", 'read -r line; kill "$0"', String(pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  // Where there is no shell, the next start ends the server.
  watcher.once("error", () => {});
  return watcher;
}

function lastLines(folder: string): string {
  try {
    return readFileSync(join(folder, LOG), "utf8").trim().split("\n").slice(-3).join(" | ");
  } catch {
    return "It wrote no log.";
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, HOST, () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
