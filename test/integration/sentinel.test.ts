// The Sentinel set-up that other tests rely on, and a connection of ours that goes through a failover.

import { afterEach, expect, test } from "vitest";
import { closeRedis, openRedis, type RedisClient } from "../../services/redis/connect.ts";
import { withServer } from "../support/redis.ts";
import { SentinelSetup } from "../support/sentinel.ts";
import { waitFor } from "../support/wait-for.ts";

/** Private in ioredis' types. */
interface Insides {
  readonly connector: { disconnect(): void };
  readonly stream: { destroy(): void };
}

withServer("redis-server", () => {
  let setup: SentinelSetup | undefined;
  let client: RedisClient | undefined;

  afterEach(async () => {
    if (client) await closeRedis(client);
    await setup?.stop();
    client = undefined;
    setup = undefined;
  });

  test("three Sentinels move a killed primary; a connection follows, what a replica had is still there", async () => {
    const servers = (setup = await SentinelSetup.start());
    const redis = (client = openRedis({ url: servers.url, name: "test", purpose: "commands", onState: () => {} }));
    await waitFor(() => redis.set("a", "1"), { timeoutMs: 20_000 });
    expect(await redis.wait(1, 20_000)).toBeGreaterThanOrEqual(1);
    const first = await servers.primary();

    await servers.kill(first);
    const second = await servers.movedFrom(first, 60_000);
    expect(second).not.toBe(first);
    expect(await waitFor(() => redis.get("a"), { timeoutMs: 20_000 })).toBe("1");

    // The word of a failover may come while the client asks for the primary; ioredis gives up then.
    const { connector, stream } = redis as unknown as Insides;
    redis.once("connecting", () => setImmediate(() => connector.disconnect()));
    const ended = new Promise((resolve) => redis.once("end", resolve));
    stream.destroy();
    await ended;
    expect(await waitFor(() => redis.get("a"), { timeoutMs: 20_000 })).toBe("1");

    await servers.restart(first);
    await servers.whole(60_000);
    expect(await servers.primary()).toBe(second);
  });
});
