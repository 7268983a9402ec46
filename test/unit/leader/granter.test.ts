// What a Lease makes of replicas, lost connections and other servers; and where redlock's own `using()` fails.

import Redlock from "redlock";
import { afterEach, expect, test } from "vitest";
import { Lease } from "../../../services/leader/lease.ts";
import { leaseTiming } from "../../../services/leader/timing.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { randomId } from "../../../services/runtime/ids.ts";
import { type RedisServer, startRedisServer, withServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

const PATIENCE = { timeoutMs: 30_000 };
const LONG = leaseTiming(60_000);
const SHORT = leaseTiming(1_500);
const keys = new Keys("granter", 0);
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function server(args: readonly string[] = []): Promise<RedisServer> {
  const started = await startRedisServer(args);
  cleanups.push(() => started.stop());
  return started;
}

async function connected(url: string): Promise<RedisClient> {
  const client = openRedis({ url, name: "test", purpose: "lease", commandTimeoutMs: 2_000, onState: () => {} });
  cleanups.push(() => closeRedis(client));
  await waitFor(() => client.status === "ready", PATIENCE);
  return client;
}

const leaseOn = (client: RedisClient, timing = LONG): Lease =>
  new Lease({ client, keys, unit: "u", owner: "pod", newId: randomId, timing, clock: systemClock });

withServer("redis-server", () => {
  test("a Lease that no replica has is given back, and won when one has it", async () => {
    const primary = await server(["--repl-diskless-sync-delay", "0"]);
    const replica = await server(["--replicaof", "127.0.0.1", String(primary.port)]);
    const client = await connected(primary.url);
    const isOnline = async () => /state=online/.test(String(await client.call("INFO", "replication")));
    await waitFor(isOnline, PATIENCE);
    const lease = leaseOn(client);
    replica.child.kill("SIGSTOP");
    await expect(lease.acquire()).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
    expect(lease.held()).toBe(false);
    expect(await client.exists(keys.lease("u"))).toBe(0);
    replica.child.kill("SIGCONT");
    await waitFor(() => lease.acquire(), PATIENCE);
    expect(lease.held()).toBe(true);
  });

  test("after a lost connection a Lease is confirmed by a renewal that found it unchanged", async () => {
    const { url } = await server();
    const [client, other] = [await connected(url), await connected(url)];
    const lease = leaseOn(client);
    await lease.acquire();
    expect(lease.isConfirmed).toBe(true);
    await cut(client, other);
    await waitFor(() => client.status === "ready", PATIENCE);
    expect(lease.isConfirmed).toBe(false);
    expect(lease.held()).toBe(true);
    expect(await lease.extend()).toBe(true);
    expect(lease.isConfirmed).toBe(true);
  });

  test("a server that has the token under another epoch has not confirmed it", async () => {
    const { url } = await server();
    const [client, other] = [await connected(url), await connected(url)];
    const lease = leaseOn(client);
    await lease.acquire();
    await cut(client, other);
    await waitFor(() => client.status === "ready", PATIENCE);
    await other.set(keys.epoch("u"), "1");
    expect(await lease.extend()).toBe(false);
    expect(lease.held()).toBe(false);
  });

  test("from another server than before no absent Lease is taken for as long as one lasts", async () => {
    const first = await server();
    const client = await connected(first.url);
    const lease = leaseOn(client, leaseTiming(3_000));
    await lease.acquire();
    await lease.release();
    const closed = new Promise((resolve) => client.once("close", resolve));
    await first.stop();
    await closed;
    await server(["--port", String(first.port)]);
    await waitFor(() => client.status === "ready", PATIENCE);
    expect(await lease.acquire().catch(() => "away")).not.toBe(true);
    expect(await lease.freeInMs()).toBeGreaterThan(500);
    await waitFor(() => lease.acquire(), PATIENCE);
  });

  test("from the same server as before it is taken at once", async () => {
    const { url } = await server();
    const [client, other] = [await connected(url), await connected(url)];
    const lease = leaseOn(client);
    await lease.acquire();
    await lease.release();
    await cut(client, other);
    await waitFor(() => client.status === "ready", PATIENCE);
    expect(await lease.freeInMs()).toBe(0);
    expect(await lease.acquire()).toBe(true);
  });

  test("somebody new to a server that was made the primary waits too", async () => {
    const primary = await server(["--repl-diskless-sync-delay", "0"]);
    const replica = await server(["--replicaof", "127.0.0.1", String(primary.port)]);
    const client = await connected(replica.url);
    await waitFor(async () => /link_status:up/.test(String(await client.call("INFO", "replication"))), PATIENCE);
    await client.call("REPLICAOF", "NO", "ONE");
    const lease = leaseOn(client, leaseTiming(3_000));
    expect(await lease.acquire()).toBe(false);
    await waitFor(() => lease.acquire(), PATIENCE);
  });

  test("Redis frozen: redlock's using() goes on, a Lease ends in time", async () => {
    const { url, child } = await server();
    const redlock = new Redlock([await connected(url)], { automaticExtensionThreshold: 500 });
    let believed = {};
    const theirs = redlock.using(["using"], SHORT.leaseMs, async (signal) => {
      const lease = leaseOn(await connected(url), SHORT);
      await lease.acquire();
      child.kill("SIGSTOP");
      await waitFor(() => !lease.held(), PATIENCE);
      // By then Redis will have dropped both.
      const until = performance.now() + SHORT.leaseMs;
      await waitFor(() => performance.now() > until, PATIENCE);
      believed = { ours: lease.held(), theirs: !signal.aborted };
      child.kill("SIGCONT");
    });
    await theirs.catch(() => {}); // it cannot release what it has lost
    expect(believed).toEqual({ ours: false, theirs: true });
  });
});

/** Ends the connection from the server's side. */
async function cut(client: RedisClient, by: RedisClient): Promise<void> {
  const id = Number(await client.call("CLIENT", "ID"));
  const closed = new Promise((resolve) => client.once("close", resolve));
  await by.call("CLIENT", "KILL", "ID", id);
  await closed;
}
