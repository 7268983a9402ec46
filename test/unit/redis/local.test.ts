import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { type LocalRedis, startLocalRedis } from "../../../services/redis/local.ts";
import { withServer } from "../../support/redis.ts";
import { type SpawnedNode, spawnNode } from "../../support/spawn.ts";
import { waitFor } from "../../support/wait-for.ts";

const folders: string[] = [];
const clients: RedisClient[] = [];
const servers: LocalRedis[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map(closeRedis));
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "antiphon-local-"));
  folders.push(folder);
  return folder;
}

function open(url: string): RedisClient {
  const client = openRedis({ url, name: "test", purpose: "commands", onState: () => {} });
  clients.push(client);
  return client;
}

async function start(
  dataDir: string,
  embeddedOnly: boolean,
  onProblem: (detail: string) => void = () => {},
): Promise<LocalRedis> {
  const server = await startLocalRedis({ dataDir, embeddedOnly, onProblem });
  servers.push(server);
  return server;
}

/** In a process of its own, with its URL. */
async function startProcess(dataDir: string, kind: string): Promise<{ node: SpawnedNode; url: string }> {
  const node = spawnNode(new URL("local-process.ts", import.meta.url), { args: [dataDir, kind], group: true });
  const line = await node.waitForLine("ready ");
  return { node, url: line.split(" ").at(-1) ?? "" };
}

function isListening(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** Writes a growing number without pause, until it fails; remembers when each was acknowledged. */
function writeNumbers(client: RedisClient): { acknowledged: { n: number; at: number }[]; failed: Promise<void> } {
  const acknowledged: { n: number; at: number }[] = [];
  const write = async (): Promise<void> => {
    for (let n = 1; ; n++) {
      await client.set("n", n);
      acknowledged.push({ n, at: performance.now() });
    }
  };
  return { acknowledged, failed: write().catch(() => {}) };
}

const kinds = ["embedded", "redis-server"] as const;

for (const kind of kinds) {
  const embeddedOnly = kind === "embedded";
  const define = (): void => {
    test("what was written is there after a stop and a new start", async () => {
      const folder = newFolder();
      const first = await start(folder, embeddedOnly);
      expect(first.kind).toBe(kind);
      await open(first.url).set("a", "1");
      await first.stop();
      expect(await isListening(first.url)).toBe(false);
      const second = await start(folder, embeddedOnly);
      expect(await open(second.url).get("a")).toBe("1");
    });

    test("a SIGKILL of its process at any time loses at most what was written in the last second", async () => {
      const rounds = [0, 1, 2].map(async () => {
        const folder = newFolder();
        const { node, url } = await startProcess(folder, kind);
        const writer = writeNumbers(open(url));
        await waitFor(() => writer.acknowledged.length > 0);
        await new Promise((resolve) => setTimeout(resolve, 1000 + Math.random() * 1000));
        const killedAt = performance.now();
        await node.killGroup("SIGKILL");
        await writer.failed;
        const kept = Number(await open((await start(folder, embeddedOnly)).url).get("n"));
        const safe = writer.acknowledged.findLast(({ at }) => at < killedAt - 1000)?.n ?? 0;
        expect(kept).toBeGreaterThanOrEqual(safe);
        expect(kept).toBeGreaterThan(0);
      });
      await Promise.all(rounds);
    });

    test("a second start on the same folder is refused while the first lives, and works once it was killed", async () => {
      const folder = newFolder();
      const { node, url } = await startProcess(folder, kind);
      await open(url).set("a", "1");
      await expect(startLocalRedis({ dataDir: folder, embeddedOnly })).rejects.toThrow(/Another antiphon works in/);
      await waitFor(() => !embeddedOnly || existsSync(join(folder, "dump.rdb")));
      await node.kill("SIGKILL");
      const next = await start(folder, embeddedOnly);
      expect(await open(next.url).get("a")).toBe("1");
    });

    test("SIGTERM ends it, and nothing is left", async () => {
      const { node, url } = await startProcess(newFolder(), kind);
      expect(await node.kill("SIGTERM")).toEqual({ code: 0, signal: null });
      expect(await isListening(url)).toBe(false);
    });
  };
  describe(kind, () => (embeddedOnly ? define() : withServer(kind, define)));
}

describe("a server on PATH", () => {
  withServer("redis-server", () => {
    test("a server that is left over and does not answer is no reason to open its files", async () => {
      const folder = newFolder();
      const first = await start(folder, false);
      const { pid } = JSON.parse(readFileSync(join(folder, "redis-server", "server.json"), "utf8")) as { pid: number };
      process.kill(pid, "SIGSTOP");
      rmSync(join(folder, "lock"), { force: true });
      await expect(startLocalRedis({ dataDir: folder })).rejects.toThrow(new RegExp(`process ${pid}`));
      process.kill(pid, "SIGCONT");
      expect(await open(first.url).ping()).toBe("PONG");
    });

    test("it ends soon after the process that started it was killed", async () => {
      const { node, url } = await startProcess(newFolder(), "any");
      await node.killGroup("SIGKILL");
      await waitFor(async () => !(await isListening(url)));
    });

    test("a server that was left over is ended before its files are opened again", async () => {
      const folder = newFolder();
      const first = await start(folder, false);
      await open(first.url).set("a", "1");
      const note = readFileSync(join(folder, "redis-server", "server.json"), "utf8");
      const { pid } = JSON.parse(note) as { pid: number };
      // As if its owner were gone without it: its server and its note are there, the lock is not.
      rmSync(join(folder, "lock"), { force: true });
      const second = await start(folder, false);
      expect(() => process.kill(pid, 0)).toThrow();
      expect(await open(second.url).get("a")).toBe("1");
    });

    test("a note about a process that is another's by now is no obstacle", async () => {
      const folder = newFolder();
      const first = await start(folder, false);
      await first.stop();
      const stranger = await start(newFolder(), false);
      writeFileSync(
        join(folder, "redis-server", "server.json"),
        JSON.stringify({ pid: process.pid, port: Number(new URL(stranger.url).port) }),
      );
      const second = await start(folder, false);
      expect(await open(second.url).ping()).toBe("PONG");
      expect(await open(stranger.url).ping()).toBe("PONG");
    });

    test("its own end is told, with what it wrote", async () => {
      const problems: string[] = [];
      const folder = newFolder();
      await start(folder, false, (detail) => problems.push(detail));
      const { pid } = JSON.parse(readFileSync(join(folder, "redis-server", "server.json"), "utf8")) as { pid: number };
      process.kill(pid, "SIGKILL");
      await waitFor(() => problems.some((problem) => problem.includes("redis-server ended by itself")));
    });

    test("a damaged file is an error that quotes the server", async () => {
      const folder = newFolder();
      const first = await start(folder, false);
      await open(first.url).set("a", "1");
      await first.stop();
      const files = join(folder, "redis-server", "appendonlydir");
      for (const file of readdirSync(files))
        if (file.endsWith(".incr.aof")) writeFileSync(join(files, file), "*3\r\n$3\r\nSET\r\nnonsense\r\n*1\r\n");
      await expect(startLocalRedis({ dataDir: folder })).rejects.toThrow(
        /redis-server did not start .*Bad file format/,
      );
    });
  });
});
