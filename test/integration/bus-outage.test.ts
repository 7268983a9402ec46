// The bus and a Redis that is killed while messages are written, and one that comes back as an older copy of itself.

import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { type Heard, type MessageBus, openBus } from "../../services/bus/plugin.ts";
import { closeRedis, openRedis } from "../../services/redis/connect.ts";
import { KeptRedis } from "../chaos/voice/kept-redis.ts";
import { freePort, startRedisServer, withServer } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";

const LONG_MS = { timeoutMs: 60_000 };
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function open(url: string): Promise<MessageBus> {
  const bus = await openBus({ url, access: "open" });
  closers.push(() => bus.close());
  return bus;
}

withServer("redis-server", () => {
  test("killed while messages are written: each is stored or says that it waits, and all are there once, in order", async () => {
    const redis = await KeptRedis.start("always");
    closers.push(() => redis.stop());
    const [bus, other] = [await open(redis.url), await open(redis.url)];
    const heard: unknown[] = [];
    const gaps: unknown[] = [];
    await other.subscribe("/a", ({ data }) => heard.push(data), { onGap: (head) => gaps.push(head) });
    const said: Promise<{ readonly status: string }>[] = [];
    const say = (): void => void said.push(bus.publish("/a", said.length));
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 40; n++) say();
      await said.at(-41);
      await redis.kill();
      for (let n = 0; n < 40; n++) say();
      await said.at(-1);
      await redis.comeBack();
      await waitFor(() => bus.diagnostics().waiting === 0, LONG_MS);
    }
    say();
    const statuses = new Set((await Promise.all(said)).map(({ status }) => status));
    expect(statuses).toEqual(new Set(["stored", "buffered"]));
    await waitFor(() => heard.at(-1) === said.length - 1, LONG_MS);
    expect(heard).toEqual(said.map((_, n) => n));
    expect(gaps).toEqual([]);
  });

  test("back as an older copy: what it lost is told to be, no position names two messages, and nothing is passed over in silence", async () => {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), "antiphon-older-"));
    closers.push(() => rmSync(folder, { recursive: true, force: true }));
    let server = await startRedisServer(["--port", String(port), "--dir", folder]);
    closers.push(() => server.stop());
    const bus = await open(server.url);
    const heard: Heard[] = [];
    const gaps: number[] = [];
    await bus.subscribe("/a", (message) => heard.push(message), { onGap: ({ offset }) => gaps.push(offset) });
    await bus.publish("/a", "kept");
    const client = openRedis({ url: server.url, name: "test", purpose: "commands", onState: () => {} });
    await client.save();
    await closeRedis(client);
    copyFileSync(join(folder, "dump.rdb"), join(folder, "older.rdb"));
    await bus.publish("/a", "lost 1");
    await bus.publish("/a", "lost 2");
    await waitFor(() => heard.length === 3, LONG_MS);
    await server.stop();
    copyFileSync(join(folder, "older.rdb"), join(folder, "dump.rdb"));
    server = await startRedisServer(["--port", String(port), "--dir", folder]);
    await bus.publish("/a", "after");
    await waitFor(() => heard.at(-1)?.data === "after", LONG_MS);
    // Who was there heard all of it; that the channel began anew is told.
    expect(heard.map(({ data }) => data)).toEqual(["kept", "lost 1", "lost 2", "after"]);
    const ids = heard.map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
    // One that stood behind what is lost comes back: it is told, and goes on.
    const [late, lateGaps]: [unknown[], unknown[]] = [[], []];
    const onGap = (head: unknown): void => void lateGaps.push(head);
    await bus.subscribe("/a", ({ data }) => late.push(data), { last: heard[2] as Heard, onGap });
    await waitFor(() => late.includes("after"), LONG_MS);
    expect(lateGaps).toHaveLength(1);
    expect(gaps).toHaveLength(1);
  });
});
