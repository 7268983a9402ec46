// What a server can prove of a write: that a replica has it, that it is on disk, or that it never will.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { checkDurability, prove } from "../../../services/redis/durable.ts";
import { syncWayOf } from "../../../services/redis/fsync.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { type RedisServer, startRedisServer, testRedis, withServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

const KEY = "{durable:0}:proof";
const AROUND = { clock: systemClock, random: Math.random, stopping: new AbortController().signal };
const clients: RedisClient[] = [];

function open(url: string): RedisClient {
  const client = openRedis({ url, name: "durable", purpose: "commands", onState: () => {} });
  clients.push(client);
  return client;
}

afterEach(async () => {
  for (const client of clients.splice(0)) await closeRedis(client);
});

describe("embedded", () => {
  test("it keeps no append-only file, so fsync is refused with the remedy", async () => {
    const client = open((await testRedis()).url);
    const refusal = { code: "DURABILITY_UNSUPPORTED", message: expect.stringContaining("appendonly yes") };
    await expect(checkDurability(client, { level: "fsync", key: KEY }, AROUND)).rejects.toMatchObject(refusal);
    await expect(prove(client, { level: "fsync", key: KEY })).rejects.toMatchObject(refusal);
  });

  test("it has no replica, so that is not proven, within bounded time", async () => {
    const client = open((await testRedis()).url);
    await expect(prove(client, { level: "replica", key: KEY })).rejects.toMatchObject({ code: "DURABILITY_UNMET" });
  });

  test("the default asks nothing", async () => {
    const client = open((await testRedis()).url);
    await client.ping();
    const commands = async (): Promise<string> =>
      /total_commands_processed:(\d+)/.exec(await client.info("stats"))?.[1] ?? "";
    const before = Number(await commands());
    await prove(client, { level: "default", key: KEY });
    expect(Number(await commands())).toBe(before + 1);
  });
});

withServer("redis-server", () => {
  describe("redis-server with a replica", () => {
    let primary: RedisServer;
    let replica: RedisServer;
    beforeAll(async () => {
      primary = await startRedisServer(["--repl-diskless-sync-delay", "0"]);
      replica = await startRedisServer(["--replicaof", "127.0.0.1", String(primary.port)]);
    });
    afterAll(async () => {
      await replica.stop();
      await primary.stop();
    });

    test("what is proven is on the replica; while it stands still, nothing is, and then it goes on", async () => {
      const client = open(primary.url);
      const copy = open(replica.url);
      await waitFor(async () => (await client.info("replication")).includes("state=online"));
      for (let value = 1; value <= 20; value++) {
        await client.set("{durable:0}:value", value);
        await prove(client, { level: "replica", key: KEY });
        expect(await copy.get("{durable:0}:value")).toBe(String(value));
      }
      replica.child.kill("SIGSTOP");
      await client.set("{durable:0}:value", "late");
      const proofs = [1, 2, 3].map(() => prove(client, { level: "replica", key: KEY }));
      const answers = await Promise.allSettled(proofs);
      expect(answers.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
      // Nobody else waited behind the question.
      expect(client.status).toBe("ready");
      replica.child.kill("SIGCONT");
      await waitFor(async () => {
        await prove(client, { level: "replica", key: KEY });
        return true;
      });
      expect(await copy.get("{durable:0}:value")).toBe("late");
    });

    test("other commands of the connection do not wait for a proof", async () => {
      const client = open(primary.url);
      await client.set("{durable:0}:value", "x");
      replica.child.kill("SIGSTOP");
      try {
        const order: string[] = [];
        const proof = prove(client, { level: "replica", key: KEY }).then(
          () => order.push("proof"),
          () => order.push("unmet"),
        );
        for (let round = 0; round < 5; round++) await client.ping().then(() => order.push("ping"));
        await proof;
        expect(order).toEqual(["ping", "ping", "ping", "ping", "ping", "unmet"]);
      } finally {
        replica.child.kill("SIGCONT");
      }
    });
  });

  describe("redis-server with an append-only file", () => {
    test("appendfsync always is proof in itself, from the version without WAITAOF on", async () => {
      const server = await startRedisServer(["--appendonly", "yes", "--appendfsync", "always"]);
      try {
        const client = open(server.url);
        await checkDurability(client, { level: "fsync", key: KEY }, AROUND);
        await client.set("{durable:0}:value", 1);
        await prove(client, { level: "fsync", key: KEY });
        expect(await client.exists(KEY)).toBe(1);
      } finally {
        await server.stop();
      }
    });

    test("a server that is started anew meanwhile proves nothing of what the old one answered", async () => {
      const server = await startRedisServer(["--appendonly", "yes", "--appendfsync", "always"]);
      let next: RedisServer | undefined;
      try {
        const client = open(server.url);
        await client.set("{durable:0}:value", 1);
        await prove(client, { level: "fsync", key: KEY });
        server.child.kill("SIGSTOP");
        const proof = prove(client, { level: "fsync", key: KEY });
        proof.catch(() => {});
        await server.stop();
        next = await startRedisServer([
          "--appendonly",
          "yes",
          "--appendfsync",
          "always",
          "--port",
          String(server.port),
        ]);
        await expect(proof).rejects.toMatchObject({ code: "DURABILITY_UNMET" });
        await waitFor(() => client.status === "ready");
        await client.set("{durable:0}:value", 2);
        await waitFor(async () => {
          await prove(client, { level: "fsync", key: KEY });
          return true;
        });
      } finally {
        await next?.stop();
      }
    });
  });
});

describe("what a server says of itself", () => {
  const info = (lines: string): string => lines.replaceAll(" ", "\r\n");
  const everysec = { appendfsync: "everysec", noSyncOnRewrite: false };
  const always = { appendfsync: "always", noSyncOnRewrite: false };

  test.each([
    ["redis_version:7.2.4 aof_enabled:1", everysec, "waitaof"],
    ["redis_version:8.0.0 aof_enabled:1", always, "waitaof"],
    [
      "redis_version:7.2.4 valkey_version:8.1.0 aof_enabled:1",
      { appendfsync: undefined, noSyncOnRewrite: false },
      "waitaof",
    ],
    ["redis_version:7.0.15 aof_enabled:1", always, "reply"],
    ["redis_version:7.0.15 aof_enabled:1", everysec, /no WAITAOF.*7\.2/],
    ["redis_version:7.0.15 aof_enabled:1", { ...always, noSyncOnRewrite: true }, /no WAITAOF/],
    ["redis_version:7.2.4 aof_enabled:0", everysec, /no append-only file/],
    ["redis_version:7.2.4 aof_enabled:1", { ...everysec, appendfsync: "no" }, /never syncs/],
  ] as const)("%s, %o", (lines, settings, expected) => {
    const way = syncWayOf(info(lines), settings);
    if (typeof expected === "string") expect(way).toBe(expected);
    else expect((way as { reason: string }).reason).toMatch(expected);
  });
});
