// Leaders on a real Sentinel set-up: what a failover does to Leases.

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Duty, Tenure } from "../../services/leader/duty.ts";
import { Leader } from "../../services/leader/leader.ts";
import { Lease } from "../../services/leader/lease.ts";
import { type LeaseTiming, leaseTiming } from "../../services/leader/timing.ts";
import { closeRedis, openRedis, type Purpose, type RedisClient } from "../../services/redis/connect.ts";
import { Keys } from "../../services/redis/keys.ts";
import { systemClock } from "../../services/runtime/clock.ts";
import { randomId } from "../../services/runtime/ids.ts";
import { withServer } from "../support/redis.ts";
import { SentinelSetup } from "../support/sentinel.ts";
import { waitFor } from "../support/wait-for.ts";

const PATIENCE = { timeoutMs: 60_000 };
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** Who acted when, of all candidates, by the one clock of this process. */
interface Entry {
  readonly name: string;
  readonly epoch: number;
  readonly at: number;
}

class Candidate implements Duty {
  readonly name: string;
  readonly leader: Leader;
  readonly lease: Lease;
  tenure: Tenure | undefined;
  readonly #log: Entry[];

  constructor(
    name: string,
    around: { keys: Keys; leases: RedisClient; subscriber: RedisClient; log: Entry[]; timing: LeaseTiming },
  ) {
    const { keys, leases, subscriber, timing } = around;
    this.name = name;
    this.#log = around.log;
    const common = { timing, clock: systemClock };
    this.lease = new Lease({ ...common, client: leases, keys, unit: "u", owner: name, newId: randomId });
    const freeChannel = keys.leaseFree("u");
    const emit = (): void => {};
    this.leader = new Leader({
      ...common,
      lease: this.lease,
      duty: this,
      subscriber,
      freeChannel,
      random: Math.random,
      emit,
    });
  }

  async begin(tenure: Tenure): Promise<void> {
    this.tenure = tenure;
    void this.#speak(tenure);
  }

  async end(): Promise<void> {
    this.tenure = undefined;
  }

  /** As a sender does: looks, then speaks. */
  async #speak(tenure: Tenure): Promise<void> {
    while (!tenure.signal.aborted) {
      if ((await tenure.confirmed()) && tenure.held())
        this.#log.push({ name: this.name, epoch: Number(tenure.epoch), at: performance.now() });
      await systemClock.sleep(5, tenure.signal);
    }
  }
}

withServer("redis-server", () => {
  let setup: SentinelSetup;
  beforeAll(async () => {
    setup = await SentinelSetup.start({ downAfterMs: 1_000 });
  }, 60_000);
  afterAll(() => setup?.stop());

  async function connected(purpose: Purpose): Promise<RedisClient> {
    const client = openRedis({ url: setup.url, name: "test", purpose, onState: () => {} });
    cleanups.push(() => closeRedis(client));
    await waitFor(() => client.status === "ready", PATIENCE);
    return client;
  }

  async function candidates(count: number, timing = leaseTiming(6_000)) {
    const keys = new Keys(`sentinel-${randomId()}`, 0);
    const log: Entry[] = [];
    const all: Candidate[] = [];
    for (let n = 0; n < count; n++) {
      const [leases, subscriber] = [await connected("lease"), await connected("subscriber")];
      const one = new Candidate(`m${n}`, { keys, leases, subscriber, log, timing });
      all.push(one);
      cleanups.push(() => one.leader.stop(1_000).catch(() => {}));
    }
    return { keys, log, all };
  }

  /** Between the last words of one leader and the first of another nobody speaks, and epochs grow. */
  function checkLog(log: readonly Entry[]): void {
    for (const [at, entry] of log.entries()) {
      const before = log[at - 1];
      if (before) expect(entry.epoch, `${entry.name} after ${before.name}`).toBeGreaterThanOrEqual(before.epoch);
    }
    const owners = new Map(log.map(({ epoch, name }) => [epoch, name]));
    for (const { epoch, name } of log) expect(owners.get(epoch)).toBe(name);
  }

  test("the primary dies: one leads at most, epochs grow, and somebody leads again", async () => {
    await setup.whole();
    const { log, all } = await candidates(3);
    for (const one of all) await one.leader.start();
    await waitFor(() => log.length > 20, PATIENCE);
    const first = log.at(-1)?.epoch ?? 0;
    const primary = await setup.primary();
    const killedAt = performance.now();
    await setup.kill(primary);
    const lastAt = (): number => log.findLast(({ epoch }) => epoch === first)?.at ?? 0;
    await waitFor(() => (log.at(-1)?.epoch ?? 0) > first || (log.at(-1)?.at ?? 0) > killedAt + 1_000, PATIENCE);
    await waitFor(() => log.length > 0 && performance.now() - (log.at(-1)?.at ?? 0) < 100, PATIENCE);
    const resumed = log.find(({ at }) => at > killedAt + 500)?.at ?? 0;
    console.log(
      `down-after 1000 ms, Lease 6000 ms: silent for ${Math.round(resumed - Math.min(lastAt(), killedAt))} ms`,
    );
    expect(resumed).toBeGreaterThan(0);
    checkLog(log);
    await setup.restart(primary);
    await setup.whole();
  }, 120_000);

  test("a planned switch: the leader looks first, then speaks on under its epoch", async () => {
    await setup.whole();
    const { log, all } = await candidates(2);
    for (const one of all) await one.leader.start();
    await waitFor(() => log.length > 20, PATIENCE);
    const primary = await setup.primary();
    const epoch = log.at(-1)?.epoch ?? 0;
    const from = performance.now();
    await setup.switch();
    await setup.movedFrom(primary);
    await waitFor(() => (log.at(-1)?.at ?? 0) > from + 3_000, PATIENCE);
    const gaps = log.slice(1).map((entry, at) => entry.at - (log[at]?.at ?? 0));
    console.log(`a planned switch: silent for ${Math.round(Math.max(...gaps))} ms`);
    checkLog(log);
    expect(log.at(-1)?.epoch).toBeGreaterThanOrEqual(epoch);
    await setup.whole();
  }, 120_000);
});
