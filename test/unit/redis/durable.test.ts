// What a server can prove of a write: that a replica has it, that it is on disk, or that it never will.

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { checkDurability, prove } from "../../../services/redis/durable.ts";
import { syncWayOf } from "../../../services/redis/fsync.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { embeddedRedis, type RedisServer, startRedisServer, withServer } from "../../support/redis.ts";
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
    const client = open((await embeddedRedis()).url);
    const refusal = { code: "DURABILITY_UNSUPPORTED", message: expect.stringContaining("appendonly yes") };
    await expect(checkDurability(client, { level: "fsync", key: KEY }, AROUND)).rejects.toMatchObject(refusal);
    await expect(prove(client, { level: "fsync", key: KEY })).rejects.toMatchObject(refusal);
  });

  test("it has no replica, so that is not proven, within bounded time", async () => {
    const client = open((await embeddedRedis()).url);
    await expect(prove(client, { level: "replica", key: KEY })).rejects.toMatchObject({ code: "DURABILITY_UNMET" });
  });

  test("the default asks nothing", async () => {
    const client = open((await embeddedRedis()).url);
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
      // Its connection was silent for long, and may be opened anew.
      await waitFor(async () => (await copy.get("{durable:0}:value")) === "late");
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

withServer("redis-server", () => {
  describe("WAITAOF, which servers have from 7.2 on", () => {
    // Where the server at hand is older, its replies are those of a newer one.
    let server: RedisServer;
    let newer: NewerServer;
    beforeAll(async () => {
      server = await startRedisServer(["--appendonly", "yes", "--appendfsync", "everysec"]);
      newer = await NewerServer.start(server.port);
    });
    afterAll(async () => {
      await newer.stop();
      await server.stop();
    });

    test("is asked for the local file, one question for all, and proves when it says 1", async () => {
      const client = open(`redis://127.0.0.1:${newer.port}`);
      await checkDurability(client, { level: "fsync", key: KEY }, AROUND);
      newer.answer = "{1,0}";
      newer.asked = 0;
      await client.set("{durable:0}:value", 1);
      await Promise.all([1, 2, 3].map(() => prove(client, { level: "fsync", key: KEY })));
      expect(newer.asked).toBe(1);
    });

    test("says 0 when the time is over: not proven", async () => {
      const client = open(`redis://127.0.0.1:${newer.port}`);
      newer.answer = "{0,0}";
      // Each answer takes as long as a server may wait.
      newer.delayMs = 700;
      await expect(prove(client, { level: "fsync", key: KEY })).rejects.toMatchObject({ code: "DURABILITY_UNMET" });
      newer.delayMs = 0;
    });
  });

  describe("Cluster", () => {
    test("the question goes to the node that holds the key, and no replica is no proof", async () => {
      const args = ["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1", "--appendonly", "yes"];
      const node = await startRedisServer([...args, "--appendfsync", "always"]);
      try {
        const plain = open(node.url);
        await plain.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
        await waitFor(async () => String(await plain.call("CLUSTER", "INFO")).includes("cluster_state:ok"));
        const client = open(node.url.replace("redis://", "redis+cluster://"));
        await client.set("{durable:0}:value", 1);
        await prove(client, { level: "fsync", key: KEY });
        expect(await client.exists(KEY)).toBe(1);
        await expect(prove(client, { level: "replica", key: KEY })).rejects.toMatchObject({ code: "DURABILITY_UNMET" });
      } finally {
        for (const client of clients.splice(0)) await closeRedis(client);
        await node.stop();
      }
    });
  });
});

/** A proxy that makes an older server look like one that has WAITAOF. Requests and INFO are small enough to come whole. */
class NewerServer {
  answer = "{1,0}";
  delayMs = 0;
  asked = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async start(target: number): Promise<NewerServer> {
    const newer = new NewerServer(target);
    await new Promise<void>((resolve) => newer.#server.listen(0, "127.0.0.1", resolve));
    return newer;
  }

  private constructor(target: number) {
    this.#server = createServer((near) => {
      const far = connect(target, "127.0.0.1");
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => this.#sockets.delete(socket));
      }
      near.on("data", (bytes) => void far.write(this.#request(bytes.toString("latin1")), "latin1"));
      far.on("data", (bytes) => {
        const text = bytes.toString("latin1").replace(/redis_version:7\.0\.\d\d/, "redis_version:7.2.99");
        near.write(text, "latin1");
      });
      near.on("close", () => far.destroy());
      far.on("close", () => near.destroy());
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #request(text: string): string {
    return text.replace("*4\r\n$7\r\nWAITAOF\r\n$1\r\n1\r\n$1\r\n0\r\n$4\r\n1000\r\n", () => {
      this.asked++;
      const wait = `local t=redis.call('TIME') local e=t[1]*1000+t[2]/1000+${this.delayMs} repeat t=redis.call('TIME') until t[1]*1000+t[2]/1000>=e`;
      const script = `${this.delayMs > 0 ? wait : ""} return ${this.answer}`;
      return `*3\r\n$4\r\nEVAL\r\n$${script.length}\r\n${script}\r\n$1\r\n0\r\n`;
    });
  }
}

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
