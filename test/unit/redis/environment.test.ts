// What the doctor says of a server: each danger is found on a real one, with the remedy, and a server that is well is told so.

import { globSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { type Check, environmentOf, type EnvironmentOptions } from "../../../services/redis/environment.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { NEEDED } from "../../../services/redis/permissions.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { eachServer, type RedisServer, startRedisServer, withServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

const clients: RedisClient[] = [];
const servers: RedisServer[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await closeRedis(client);
  for (const server of servers.splice(0)) await server.stop();
});

async function open(url: string): Promise<RedisClient> {
  const client = openRedis({ url, name: "environment", purpose: "commands", onState: () => {} });
  clients.push(client);
  await waitFor(() => client.ping());
  return client;
}

type Asked = Partial<Omit<EnvironmentOptions, "client">>;

async function look(client: RedisClient, asked: Asked = {}): Promise<Map<string, Check>> {
  const options = { keys: new Keys("team", 0), durability: "default", clock: systemClock, ...asked } as const;
  return new Map((await environmentOf({ client, ...options })).map((check) => [check.name, check]));
}

eachServer((_name, getUrl) => {
  test("every check has an answer, and nothing is wrong with the user and the clock of a server of ours", async () => {
    const checks = await look(await open(getUrl()));
    expect([...checks.keys()].toSorted()).toEqual([
      "answers",
      "clock",
      "connections",
      "memory",
      "permissions",
      "persistence",
      "replicas",
      "server",
    ]);
    for (const name of ["server", "permissions", "clock", "connections", "replicas"])
      expect(checks.get(name)).toMatchObject({ state: "ok" });
    for (const { state, remedy } of checks.values()) if (state === "warning") expect(remedy).toMatch(/\.$/);
  });

  test("a clock that is off by more than a second is told, by how much and which way", async () => {
    const client = await open(getUrl());
    const off = async (ms: number) =>
      (await look(client, { clock: { ...systemClock, now: () => Date.now() + ms } })).get("clock");
    expect(await off(90_000)).toMatchObject({
      state: "warning",
      detail: expect.stringMatching(/^It is (90.0|89.9) s behind/),
    });
    expect(await off(-90_000)).toMatchObject({ state: "warning", detail: expect.stringContaining("ahead of") });
    expect(await off(500)).toMatchObject({ state: "ok" });
  });

  test("acknowledgements that nothing can prove are a problem", async () => {
    const client = await open(getUrl());
    expect((await look(client, { durability: "replica" })).get("replicas")).toMatchObject({ state: "problem" });
    expect((await look(client, { durability: "fsync" })).get("persistence")).toMatchObject({ state: "problem" });
  });
});

describe("on redis-server", () => {
  withServer("redis-server", () => {
    const start = async (...args: readonly string[]): Promise<RedisClient> => {
      const server = await startRedisServer(args);
      servers.push(server);
      return open(server.url);
    };

    test("what it keeps: nothing, snapshots, everything, and a disk that fails", async () => {
      const client = await start("--enable-protected-configs", "yes");
      const state = async () => (await look(client)).get("persistence");
      expect(await state()).toMatchObject({ state: "warning", detail: expect.stringContaining("keeps nothing") });
      await client.call("CONFIG", "SET", "save", "3600 1");
      expect(await state()).toMatchObject({ state: "warning", detail: expect.stringContaining("Only snapshots") });
      await client.call("CONFIG", "SET", "appendonly", "yes");
      expect(await state()).toMatchObject({ state: "ok", detail: "append-only file, synced everysec" });
      await client.call("CONFIG", "SET", "appendfsync", "no");
      expect(await state()).toMatchObject({ state: "warning", detail: expect.stringContaining("appendfsync no") });
      await client.call("CONFIG", "SET", "dir", "/proc");
      await client.call("BGSAVE").catch(() => {});
      await waitFor(async () => (await state())?.state === "problem", { timeoutMs: 30_000 });
    });

    test("memory: no limit, enough, little left", async () => {
      const client = await start();
      const state = async () => (await look(client)).get("memory");
      expect(await state()).toMatchObject({ state: "warning", detail: expect.stringContaining("no limit") });
      await client.call("CONFIG", "SET", "maxmemory", "1gb");
      expect(await state()).toMatchObject({ state: "ok" });
      const used = Number(/used_memory:(\d+)/.exec(await client.info("memory"))?.[1]);
      await client.call("CONFIG", "SET", "maxmemory", String(Math.round(used * 1.02)));
      expect(await state()).toMatchObject({ state: "problem", detail: expect.stringContaining("refuses every write") });
    });

    test("an eviction policy that drops deliveries, and replicas that are asked for and not there", async () => {
      const client = await start("--maxmemory-policy", "allkeys-lru", "--min-replicas-to-write", "1");
      const checks = await look(client);
      expect(checks.get("server")).toMatchObject({ state: "problem", detail: expect.stringContaining("noeviction") });
      expect(checks.get("replicas")).toMatchObject({
        state: "problem",
        detail: expect.stringContaining("refuses writes"),
      });
    });

    test("a replica that writes do not wait for is told", async () => {
      const primary = await startRedisServer();
      const replica = await startRedisServer(["--replicaof", `127.0.0.1 ${primary.port}`]);
      servers.push(replica, primary);
      const client = await open(primary.url);
      await waitFor(async () => (await look(client)).get("replicas")?.state === "warning", { timeoutMs: 30_000 });
      await client.call("CONFIG", "SET", "min-replicas-to-write", "1");
      expect((await look(client)).get("replicas")).toMatchObject({ state: "ok", detail: "1 connected" });
    });

    test("what its user may not do is told as the command that allows it, which does", async () => {
      const admin = await start();
      await admin.call("ACL", "SETUSER", "bot", "on", ">pw", "~{team:0}:*", "&*", "+@all", "-zadd", "-client|list");
      const url = `redis://bot:pw@127.0.0.1:${servers[0]?.port}`;
      const client = await open(url);
      const denied = (await look(client)).get("permissions");
      expect(denied).toMatchObject({ state: "problem", detail: expect.stringMatching(/: zadd, client\|list\.$/) });
      const follow = (check: Check | undefined) => admin.call("ACL", ...(check?.remedy?.split(" ").slice(1) ?? []));
      await follow(denied);
      expect((await look(client)).get("permissions")).toMatchObject({ state: "ok", detail: "user bot" });
      await admin.call("ACL", "SETUSER", "bot", "resetchannels");
      const other = new Keys("other", 0);
      const elsewhere = (await look(client, { keys: other })).get("permissions");
      expect(elsewhere?.remedy).toBe("ACL SETUSER bot ~{other:0}:* &{other:0}:*");
      await follow(elsewhere);
      expect((await look(client, { keys: other })).get("permissions")).toMatchObject({ state: "ok" });
    });

    test("a user that may not ask is told to be unknown, and the rest is answered", async () => {
      const admin = await start();
      await admin.call("ACL", "SETUSER", "bot", "on", ">pw", "~*", "&*", "+@all", "-acl", "-config");
      const checks = await look(await open(`redis://bot:pw@127.0.0.1:${servers[0]?.port}`));
      expect(checks.get("permissions")).toMatchObject({ state: "unknown" });
      expect(checks.get("persistence")).toMatchObject({ state: "unknown" });
      expect(checks.get("server")).toMatchObject({ state: "ok" });
    });
  });
});

test("every command that a script calls is among those that a user is asked for", () => {
  const scripts = globSync("services/**/*.lua").map((file) => readFileSync(file, "utf8"));
  const called = scripts.flatMap((lua) => [...lua.matchAll(/redis\.p?call\('([A-Z]+)'/g)].map(([, name]) => name));
  const asked = NEEDED.map((line) => line.split(" ")[0]);
  expect(called.length).toBeGreaterThan(100);
  expect([...new Set(called)].filter((name) => !asked.includes(name))).toEqual([]);
});
