// A real Postgres for tests: a cluster of its own on a free port, under a user without rights on this machine. It can be
// killed as if by a power cut, and started again with what it kept.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll } from "vitest";
import { lastingPort, withServer } from "./redis.ts";
import { endWithThis } from "./spawn.ts";
import { waitFor } from "./wait-for.ts";

export interface PostgresServer {
  readonly url: string;
  readonly port: number;
  /** One statement, beside everything else. */
  ask(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  /** SIGKILL to the server and all its processes. */
  kill(): Promise<void>;
  /** With what it kept, on the same port. */
  comeBack(): Promise<void>;
  /** It ends, and its folder is removed. */
  stop(): Promise<void>;
}

const START_MS = 60_000;
/** Postgres does not run as root. */
const NOBODY = 65_534;
const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};

let shared: Promise<PostgresServer> | undefined;

if (process.env["VITEST"] !== undefined) {
  afterAll(async () => {
    await (await shared)?.stop();
    shared = undefined;
  });
}

/** The one of this test file: started by the first call, stopped after the last test. A namespace per test isolates tests. */
export function testPostgres(): Promise<PostgresServer> {
  shared ??= startPostgres();
  return shared;
}

/** Defines a suite that needs Postgres; without it, as `withServer`. */
export function withPostgres(suite: () => void): void {
  withServer("postgres", suite, () => programs() !== undefined);
}

/** The folder of Postgres' programs: Debian keeps them out of PATH, a folder for each version. */
function programs(): string | undefined {
  const onPath = (process.env["PATH"] ?? "").split(":").find((folder) => existsSync(join(folder, "initdb")));
  return onPath ?? globSync("/usr/lib/postgresql/*/bin").findLast((folder) => existsSync(join(folder, "initdb")));
}

export async function startPostgres(settings: readonly string[] = []): Promise<PostgresServer> {
  const bin = programs();
  if (bin === undefined) throw new Error("Postgres is not installed");
  const folder = mkdtempSync(join(tmpdir(), "antiphon-postgres-"));
  chmodSync(folder, 0o700);
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid);
  const data = join(folder, "data");
  // A machine does not fail in tests, only processes do: what the kernel has is kept.
  const options = ["-D", data, "-U", "antiphon", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"];
  const made = spawnSync(join(bin, "initdb"), options, { ...user, cwd: folder, encoding: "utf8" });
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
  const server = new Server({ bin, folder, data, port: await lastingPort(), settings });
  await server.comeBack();
  return server;
}

interface Place {
  readonly bin: string;
  readonly folder: string;
  readonly data: string;
  readonly port: number;
  readonly settings: readonly string[];
}

class Server implements PostgresServer {
  readonly url: string;
  readonly port: number;
  readonly #place: Place;
  #child: ChildProcess | undefined;

  constructor(place: Place) {
    this.#place = place;
    this.port = place.port;
    this.url = `postgres://antiphon@127.0.0.1:${place.port}/postgres`;
  }

  async ask(text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    const client = new Client({ connectionString: this.url, connectionTimeoutMillis: 5_000, query_timeout: 20_000 });
    client.on("error", () => {});
    try {
      await client.connect();
      return (await client.query<Record<string, unknown>>(text, [...values])).rows;
    } finally {
      await client.end().catch(() => {});
    }
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child?.pid === undefined) return;
    const ended = once(child, "exit");
    const others = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim().split(" ");
    child.kill("SIGKILL");
    for (const pid of others) if (pid !== "") endQuietly(Number(pid));
    await ended;
  }

  /** The old one's last process may be about to end still: then it is tried again. */
  async comeBack(): Promise<void> {
    await waitFor(() => this.#start(), { timeoutMs: START_MS, what: "Postgres answers" });
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child !== undefined) {
      const ended = once(child, "exit");
      child.kill("SIGQUIT");
      await ended;
    }
    rmSync(this.#place.folder, { recursive: true, force: true });
  }

  async #start(): Promise<boolean> {
    const { bin, data, folder, port, settings } = this.#place;
    const fixed = [`port=${port}`, "listen_addresses=127.0.0.1", `unix_socket_directories=${folder}`, "fsync=off"];
    const options = [...fixed, ...settings].flatMap((setting) => ["-c", setting]);
    const child = spawn(join(bin, "postgres"), ["-D", data, ...options], { ...user, cwd: folder, stdio: "ignore" });
    endWithThis(child);
    const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
    await waitFor(async () => isOver() || (await this.ask("SELECT 1")).length === 1, { timeoutMs: START_MS });
    if (isOver()) return false;
    this.#child = child;
    return true;
  }
}

function endQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}
