// Workers whose clocks are wrong by an hour, one ahead and one behind: nothing but the server's clock decides anything.

import { afterEach, beforeEach, expect, test } from "vitest";
import { serverNowMs } from "../../services/broker/connection.ts";
import { Lab } from "../support/handling.ts";
import { eachServer } from "../support/redis.ts";
import { type SpawnedNode, spawnNode } from "../support/spawn.ts";
import { waitFor } from "../support/wait-for.ts";

const HOUR_MS = 3_600_000;
const MAIN = new URL("../../services/main.ts", import.meta.url);
const SHIFT = new URL("../support/shifted-clock.mjs", import.meta.url);

let lab: Lab;
const workers: SpawnedNode[] = [];

const said = (line: string | RegExp, timeoutMs = 10_000): Promise<boolean> =>
  waitFor(() => lab.lines.some((one) => (typeof line === "string" ? one === line : line.test(one))), {
    what: String(line),
    timeoutMs,
  });

async function start(url: string, shiftMs: number): Promise<void> {
  const env = {
    REDIS_URL: url,
    ANTIPHON_NAMESPACE: lab.namespace,
    ANTIPHON_HANDLERS: "test/fixtures/handlers/lab.ts",
    ANTIPHON_HANDLER_LAB_JOURNAL: lab.journal,
    ANTIPHON_WORKER_CONCURRENCY: "8",
    ANTIPHON_DRAIN_MS: "1000",
    ANTIPHON_HTTP_PORT: "0",
    ANTIPHON_ADMIN_PORT: "0",
    LOG_FORMAT: "json",
    NODE_OPTIONS: `--import=${SHIFT.href}`,
    SHIFT_MS: String(shiftMs),
  };
  const worker = spawnNode(MAIN, { args: ["worker"], env });
  workers.push(worker);
  await worker.waitForLine("process.started", 30_000);
}

eachServer((_name, url) => {
  beforeEach(() => {
    lab = new Lab(url());
  });
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.kill("SIGTERM")));
    await lab.stop();
  });

  test("both run deliveries, none too early, in the order of their keys, and none is taken for expired or dead", async () => {
    await Promise.all([start(url(), HOUR_MS), start(url(), -HOUR_MS)]);
    await waitFor(
      async () => {
        await lab.enqueue("clock", "a", { ms: Date.now() });
        return ["clock a 1", "clock a -1"].every((line) => lab.lines.includes(line));
      },
      { timeoutMs: 20_000 },
    );

    const delays = [200, 500, 900, 1400];
    const seen = delays.map(async (delayMs) => {
      const since = performance.now();
      await lab.enqueue("note", `after ${delayMs}`, { delayMs });
      await said(`note after ${delayMs}`);
      return performance.now() - since - delayMs;
    });
    for (const late of await Promise.all(seen)) {
      expect(late).toBeGreaterThanOrEqual(0);
      expect(late).toBeLessThan(2000);
    }

    const now = await serverNowMs(lab.broker);
    await lab.enqueue("note", "at its time", { dueAtMs: now + 300 });
    await lab.enqueue("note", "in time", { header: { ttl: 60_000, notAfter: now + 60_000 } });
    await lab.enqueue("note", "too late", { header: { notAfter: now - 1 } });
    const names = Array.from({ length: 60 }, (_, index) => `key ${index}`);
    for (const name of names) await lab.enqueue("note", name, { key: "k" });
    await said("note at its time");
    await said("note in time");
    await said("note key 59");
    await waitFor(async () => (await lab.broker.client.hlen(`${lab.broker.keys.queue("default")}:j`)) === 0);
    expect(lab.lines.filter((line) => line.startsWith("note key"))).toEqual(names.map((name) => `note ${name}`));
    expect(lab.lines).not.toContain("note too late");
    expect(workers.flatMap(({ lines }) => lines).filter((line) => /fenced|reaped|run\.failed/.test(line))).toEqual([]);
  });

  test("what one of them held when it was killed the other one runs again, and waits no hour", async () => {
    await start(url(), HOUR_MS);
    await lab.enqueue("hold", "a");
    await said("hold a attempt 1");
    await start(url(), -HOUR_MS);
    const [dead] = workers.splice(0, 1);
    await dead?.kill();
    await waitFor(() => lab.lines.length === 2, { timeoutMs: 60_000 });
    expect(lab.lines).toEqual(["hold a attempt 1", "hold a attempt 1"]);
  });
});
