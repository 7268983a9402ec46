import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { type EmbeddedOptions, type EmbeddedServer, startEmbedded } from "../../../services/redis/embedded.ts";
import { waitFor } from "../../support/wait-for.ts";

const folders: string[] = [];
const clients: RedisClient[] = [];
const servers: EmbeddedServer[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map(closeRedis));
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "antiphon-embedded-"));
  folders.push(folder);
  return folder;
}

async function start(options: EmbeddedOptions = {}): Promise<{ server: EmbeddedServer; client: RedisClient }> {
  const server = await startEmbedded(options);
  servers.push(server);
  const client = openRedis({ url: server.url, name: "test", purpose: "commands", onState: () => {} });
  clients.push(client);
  return { server, client };
}

test("it answers at once, not with its timer", async () => {
  const { client } = await start();
  await client.ping();
  const begun = performance.now();
  for (let n = 0; n < 200; n++) await client.ping();
  // By its timer 200 answers would take 20 s.
  expect(performance.now() - begun).toBeLessThan(2000);
});

test("it is a real server: scripts, streams, sharded channels, a megabyte", async () => {
  const { client, server } = await start();
  expect(await client.eval("return redis.call('INCRBY', KEYS[1], 2)", 1, "n")).toBe(2);
  await client.xadd("s", "1-1", "d", "x");
  expect(await client.xrange("s", "-", "+")).toEqual([["1-1", ["d", "x"]]]);
  const large = Buffer.alloc(1 << 20, "x");
  await client.set("large", large);
  expect((await client.getBuffer("large"))?.equals(large)).toBe(true);
  const subscriber = openRedis({ url: server.url, name: "test", purpose: "subscriber", onState: () => {} });
  clients.push(subscriber);
  const heard: string[] = [];
  subscriber.on("smessage", (_channel: string, message: string) => heard.push(message));
  await subscriber.ssubscribe("news");
  expect(await client.spublish("news", "hello")).toBe(1);
  await waitFor(() => heard.includes("hello"));
});

test("a change is in its file within a second, and the file replaces the old one whole", async () => {
  const dataDir = newFolder();
  const { client } = await start({ dataDir });
  await client.set("a", "1");
  const saved = async (): Promise<boolean> => /rdb_changes_since_last_save:0\r/.test(await client.info("persistence"));
  await waitFor(saved, { timeoutMs: 1500 });
  await waitFor(() => readdirSync(dataDir).join() === "dump.rdb");
});

test("a stop saves, and a start loads", async () => {
  const dataDir = newFolder();
  const first = await start({ dataDir });
  await first.client.set("a", "1", "PX", 60_000);
  await first.client.zadd("z", 3, "b");
  await first.server.stop();
  const second = await start({ dataDir });
  expect(await second.client.get("a")).toBe("1");
  expect(await second.client.pttl("a")).toBeGreaterThan(1000);
  expect(await second.client.zscore("z", "b")).toBe("3");
});

test("it goes on saving after its clients were ended and made to wait", async () => {
  const dataDir = newFolder();
  const { client, server } = await start({ dataDir });
  await client.set("a", "1");
  await client.call("CLIENT", "PAUSE", "700", "ALL");
  await client.call("CLIENT", "KILL", "TYPE", "normal");
  await client.set("a", "2");
  await waitFor(async () => /rdb_changes_since_last_save:0\r/.test(await client.info("persistence")));
  await server.stop();
  expect(await (await start({ dataDir })).client.get("a")).toBe("2");
});

test("a damaged file stops the start and is named", async () => {
  const dataDir = newFolder();
  writeFileSync(join(dataDir, "dump.rdb"), "REDIS0011 and then nonsense");
  await expect(startEmbedded({ dataDir })).rejects.toThrow(/dump\.rdb/);
});

test("a port that is taken stops the start", async () => {
  const { server } = await start();
  await expect(startEmbedded({ port: server.port })).rejects.toThrow(/EADDRINUSE/);
});

test("when it ends by itself, that is told", async () => {
  const problems: string[] = [];
  const { client } = await start({ onProblem: (detail) => problems.push(detail) });
  client.call("SHUTDOWN", "NOSAVE").catch(() => {});
  await waitFor(() => problems.some((problem) => problem.includes("Valkey ended itself")));
});

test("a save that fails is told and tried again", async () => {
  const problems: string[] = [];
  const dataDir = newFolder();
  const { client } = await start({ dataDir, onProblem: (detail) => problems.push(detail) });
  rmSync(dataDir, { recursive: true });
  await client.set("a", "1");
  await waitFor(() => problems.length >= 2);
  expect(problems[0]).toContain("could not save");
});
