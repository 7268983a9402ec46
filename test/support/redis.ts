// Real servers for tests: one `redis-server` per test file where it is on PATH, and one embedded Valkey.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type EmbeddedServer, startEmbedded } from "../../services/redis/embedded.ts";
import { endWithThis } from "./spawn.ts";
import { waitFor } from "./wait-for.ts";

declare module "vitest" {
  interface TaskMeta {
    /** Read by missing-servers.ts. */
    missingServer?: string;
  }
}

export interface TestServer {
  readonly url: string;
  readonly kind: "embedded" | "redis-server";
}

let embedded: Promise<EmbeddedServer> | undefined;
let native: Promise<RedisServer> | undefined;

if (process.env["VITEST"] !== undefined) {
  afterAll(async () => {
    const both = [embedded, native];
    [embedded, native] = [undefined, undefined];
    for (const server of both) await (await server)?.stop();
  });
}

/**
 * The server of this test file: started by the first call, stopped after the last test. A namespace per test isolates tests.
 * `redis-server` where it is on PATH, for the embedded Valkey needs several times as long; what must hold on both says
 * `eachServer`.
 */
export async function testRedis(): Promise<TestServer> {
  if (!isOnPath("redis-server")) return embeddedRedis();
  native ??= startRedisServer();
  return { url: (await native).url, kind: "redis-server" };
}

/** Likewise, but always the embedded Valkey. */
export async function embeddedRedis(): Promise<TestServer> {
  embedded ??= startEmbedded();
  return { url: (await embedded).url, kind: "embedded" };
}

/** Runs a suite against every kind of server. `getUrl` may be called in the suite's tests and hooks, not while it is defined. */
export function eachServer(suite: (name: TestServer["kind"], getUrl: () => string) => void): void {
  describe("embedded", () => {
    let url = "";
    beforeAll(async () => {
      url = (await embeddedRedis()).url;
    });
    suite("embedded", () => url);
  });
  describe("redis-server", () => {
    let url = "";
    withServer("redis-server", () => {
      beforeAll(async () => {
        url = (await testRedis()).url;
      });
      suite("redis-server", () => url);
    });
  });
}

/**
 * Defines a suite that needs a program on PATH. Without it the suite is listed at the end of the run, and fails where
 * ANTIPHON_REQUIRE_SERVERS=1 says that every suite must run.
 */
export function withServer(program: string, suite: () => void, isThere = isOnPath): void {
  if (isThere(program)) return suite();
  test(`did not run: ${program} is not here`, ({ task }) => {
    task.meta.missingServer = program;
    expect(process.env["ANTIPHON_REQUIRE_SERVERS"], `${program} must be installed`).not.toBe("1");
  });
}

const found = new Map<string, boolean>();

export function isOnPath(program: string): boolean {
  // nginx knows the short form only.
  const look = (option: string): boolean => spawnSync(program, [option], { stdio: "ignore" }).status === 0;
  const isThere = found.get(program) ?? ["--version", "-v"].some(look);
  found.set(program, isThere);
  return isThere;
}

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly child: ChildProcess;
  /** Its working folder. */
  readonly folder: string;
  /** SIGKILL, and its folder is removed. */
  stop(): Promise<void>;
}

/** Starts a `redis-server` that keeps nothing, on a free port unless `--port` is among the arguments. `file`: its configuration. */
export async function startRedisServer(args: readonly string[] = [], file?: string): Promise<RedisServer> {
  const port = args.includes("--port") ? Number(args[args.indexOf("--port") + 1]) : await freePort();
  const folder = mkdtempSync(join(tmpdir(), "antiphon-redis-"));
  const all = [
    ...(file === undefined ? [] : [file]),
    "--port",
    String(port),
    "--bind",
    "127.0.0.1",
    "--dir",
    folder,
    "--save",
    "",
    ...args,
  ];
  const child = endWithThis(spawn("redis-server", all, { stdio: "ignore" }));
  const ended = once(child, "exit");
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await waitFor(() => answers(port), { what: `redis-server answers on port ${port}` });
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `redis://127.0.0.1:${port}`, port, child, folder, stop };
}

/** A free one that no connection is given meanwhile, for a server that comes back: below those that the kernel takes for them. */
export async function lastingPort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const server = createServer().listen(port, "127.0.0.1");
    const isFree = await Promise.race([
      once(server, "listening").then(() => true),
      once(server, "error").then(() => false),
    ]);
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => socket.write("PING\r\n"));
    socket.once("data", (bytes) => {
      socket.destroy();
      resolve(bytes.toString().startsWith("+PONG"));
    });
    socket.once("error", () => resolve(false));
  });
}
