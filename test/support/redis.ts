// Real servers for tests: one embedded Valkey per test file, and `redis-server` where it is on PATH.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { type EmbeddedServer, startEmbedded } from "../../services/redis/embedded.ts";
import { waitFor } from "./wait-for.ts";

export interface TestServer {
  readonly url: string;
  readonly kind: "embedded" | "redis-server";
}

let embedded: Promise<EmbeddedServer> | undefined;

afterAll(async () => {
  await (await embedded)?.stop();
  embedded = undefined;
});

/** The embedded server of this test file, started by the first call, stopped after the last test. */
export async function testRedis(): Promise<TestServer> {
  embedded ??= startEmbedded();
  return { url: (await embedded).url, kind: "embedded" };
}

/** Runs a suite against every kind of server. `getUrl` may be called in tests and hooks of the suite, not while it is defined. */
export function eachServer(suite: (name: TestServer["kind"], getUrl: () => string) => void): void {
  describe("embedded", () => {
    let url = "";
    beforeAll(async () => {
      url = (await testRedis()).url;
    });
    suite("embedded", () => url);
  });
  if (spawnSync("redis-server", ["--version"]).status !== 0) return;
  describe("redis-server", () => {
    let server: { url: string; stop(): Promise<void> } | undefined;
    beforeAll(async () => {
      server = await startRedisServer();
    });
    afterAll(() => server?.stop());
    suite("redis-server", () => server?.url ?? "");
  });
}

/** Starts a `redis-server` that keeps nothing, on a free port. */
export async function startRedisServer(
  extra: readonly string[] = [],
): Promise<{ url: string; port: number; child: ChildProcess; stop(): Promise<void> }> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "antiphon-redis-"));
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", ...extra];
  const child = spawn("redis-server", args, { stdio: "ignore" });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  await waitFor(() => answers(port), { what: "redis-server answers" });
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  return { url: `redis://127.0.0.1:${port}`, port, child, stop };
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
