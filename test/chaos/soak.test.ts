// What we break: 20 workers and 5 masters by SIGKILL, under 100 events a second whose runs last up to 2 s. What must hold:
// whatever was accepted is handled, in the order of its key, and nothing inside Redis happens twice.

import { afterEach, beforeEach, expect, test } from "vitest";
import { type RedisServer, startRedisServer, withServer } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";
import { SoakRun } from "./soak-run.ts";

const PER_SECOND = 100;
const RUN_MS_MAX = 2000;
const WORKERS = 4;
/**
 * Two workers at a time, so that what they ran can end elsewhere before the next strike and not everything crashes twice;
 * with every other strike a master, and then nobody sees that the workers are gone: what they ran is reaped by time.
 */
const STRIKES = 11;
const PAUSE_MS = 3500;
const PAUSE_AFTER_MASTER_MS = 7000;
/** Whoever serves has something to do after so long. */
const SETTLED_MS = 1000;
/** On a machine that has other things to do everything takes longer. */
const START_MS = 60_000;
const DRAIN_MS = 180_000;
const TEST_MS = 600_000;

withServer("redis-server", () => {
  let server: RedisServer;
  let soak: SoakRun | undefined;

  beforeEach(async () => {
    server = await startRedisServer();
  });
  afterEach(async () => {
    await soak?.stop();
    soak = undefined;
    await server.stop();
  });

  test(
    "workers and masters are killed under load: nothing accepted is lost, out of order or done twice",
    async () => {
      soak = await SoakRun.start({
        redisUrl: server.url,
        masters: 2,
        workers: WORKERS,
        leaseMs: 3000,
        concurrency: 128,
        perSecond: PER_SECOND,
        runMsMax: RUN_MS_MAX,
      });
      await storm(soak);
      const from = performance.now();
      await soak.settled(DRAIN_MS);
      const drainS = Math.round((performance.now() - from) / 1000);
      const { fleet } = soak;
      const problems = await soak.problems();
      const hits = await soak.hits();
      tell({ ...(await soak.counts()), "of them in a run": hits, "drained in s": drainS });
      const where = problems.length > 0 ? `${problems.length} problems, logs in ${fleet.keepLogs()}` : "";
      expect(problems.slice(0, 30), where).toEqual([]);
      expect(soak.load.givenUp).toEqual([]);
      expect(fleet.killedWorkers.length).toBeGreaterThanOrEqual(20);
      expect(fleet.killedMasters.length).toBeGreaterThanOrEqual(5);
      expect(hits).toBeGreaterThanOrEqual(fleet.killedWorkers.length / 2);
    },
    TEST_MS,
  );
});

async function storm(soak: SoakRun): Promise<void> {
  const { fleet, load } = soak;
  for (let strike = 0; strike < STRIKES; strike++) {
    const pauseMs = isMasterToo(strike - 1) ? PAUSE_AFTER_MASTER_MS : PAUSE_MS;
    const untilMs = load.ms + pauseMs * (0.75 + Math.random() / 2);
    await waitFor(() => load.ms >= untilMs, { timeoutMs: START_MS });
    await fleet.serve(WORKERS - 1, SETTLED_MS);
    for (const victim of fleet.serving.toSorted(() => Math.random() - 0.5).slice(0, 2)) await fleet.killWorker(victim);
    if (isMasterToo(strike)) await fleet.killMaster(await soak.leader());
  }
}

function isMasterToo(strike: number): boolean {
  return strike % 2 === 1;
}

function tell(counts: Readonly<Record<string, number>>): void {
  const words = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  console.log(`soak: ${words.join(", ")}`);
}
