// Sentinel and Cluster, each from real servers on this machine.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { closeRedis, openRedis, type Purpose, type RedisClient } from "../../../services/redis/connect.ts";
import { freePort, type RedisServer, startRedisServer, withServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

/** Servers that find each other do it in their own time: a Sentinel looks for replicas every 10 s. */
const LONG = { timeoutMs: 60_000 };
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const clients: RedisClient[] = [];
const servers: RedisServer[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map(closeRedis));
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
});

function open(url: string, purpose: Purpose = "commands"): { client: RedisClient; states: string[] } {
  const states: string[] = [];
  const client = openRedis({
    url,
    name: "test",
    purpose,
    onState: (state, detail = "") => states.push(`${state}: ${detail}`),
  });
  clients.push(client);
  return { client, states };
}

async function start(args: readonly string[], file?: string): Promise<RedisServer> {
  const server = await startRedisServer(args, file);
  servers.push(server);
  return server;
}

describe("Cluster", () => {
  withServer("redis-server", () => {
    let url = "";
    let node: RedisServer;
    const args = ["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1"];

    beforeAll(async () => {
      node = await start(args);
      const { client, states } = open(node.url);
      await client.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
      await waitFor(async () => String(await client.call("CLUSTER", "INFO")).includes("cluster_state:ok"), LONG);
      await waitFor(() => states.some((state) => /^unfit: .*redis\+cluster/.test(state)), LONG);
      url = node.url.replace("redis://", "redis+cluster://");
    });

    test("commands, a fit server, and a sharded subscription", async () => {
      const { client, states } = open(url);
      expect(await client.set("{tag}:a", "1")).toBe("OK");
      await waitFor(() => states.some((state) => state.startsWith("ready: Redis")), LONG);
      const subscriber = open(url, "subscriber").client;
      const heard: string[] = [];
      subscriber.on("smessage", (_channel: string, message: string) => heard.push(message));
      await subscriber.ssubscribe("{tag}:news");
      await waitFor(async () => (await client.spublish("{tag}:news", "hello")) === 1, LONG);
      await waitFor(() => heard.includes("hello"), LONG);
    });

    test("while the cluster is away commands fail, and when it is back they work again", async () => {
      const { client, states } = open(url);
      await client.set("{tag}:a", "1");
      node.child.kill("SIGSTOP");
      const start = performance.now();
      await expect(client.get("{tag}:a")).rejects.toThrow();
      expect(performance.now() - start).toBeLessThan(10_000);
      await waitFor(() => states.at(-1)?.startsWith("away"), LONG);
      await expect(client.get("{tag}:a")).rejects.toThrow();
      node.child.kill("SIGCONT");
      await waitFor(() => client.get("{tag}:a"), LONG);
    });
  });
});

describe("Sentinel", () => {
  withServer("redis-server", () => {
    test("after a failover commands reach the new primary", async () => {
      const first = await start(["--repl-diskless-sync-delay", "0"]);
      const second = await start(["--replicaof", "127.0.0.1", String(first.port)]);
      const port = await freePort();
      const file = join(first.folder, "sentinel.conf");
      const lines = [
        `sentinel monitor main 127.0.0.1 ${first.port} 1`,
        "sentinel down-after-milliseconds main 500",
        "sentinel failover-timeout main 2000",
      ];
      writeFileSync(file, `${lines.join("\n")}\n`);
      await start(["--port", String(port), "--sentinel"], file);
      const { client, states } = open(`redis+sentinel://127.0.0.1:${port}/main`);
      expect(await client.set("a", "1")).toBe("OK");
      await waitFor(async () => String(await client.info("replication")).includes("state=online"), LONG);
      // A replica that it does not know by then it will never know: there is nobody left to ask.
      const sentinel = new Redis(port, "127.0.0.1");
      const isKnown = async (): Promise<boolean> =>
        JSON.stringify(await sentinel.call("SENTINEL", "REPLICAS", "main")).includes(String(second.port));
      await waitFor(isKnown, { ...LONG, what: "Sentinel knows the replica" }).finally(() => sentinel.disconnect());
      first.child.kill("SIGKILL");
      await waitFor(() => client.set("a", "2"), LONG);
      expect(String(await client.config("GET", "port"))).toContain(String(second.port));
      await waitFor(() => states.at(-1)?.startsWith("ready"), LONG);
    });
  });
});
