import { afterEach, expect, test, vi } from "vitest";
import type { Duty } from "../../../services/leader/duty.ts";
import { Leader } from "../../../services/leader/leader.ts";
import { Lease } from "../../../services/leader/lease.ts";
import { Masters, mastersOf } from "../../../services/leader/masters.ts";
import { leaseTiming } from "../../../services/leader/timing.ts";
import { closeRedis, openRedis, type Purpose, type RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { randomId } from "../../../services/runtime/ids.ts";
import type { EventName } from "../../../services/telemetry/events.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { eachServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

const UNITS = ["control", "irc/a", "irc/b", "irc/c", "slack/d", "slack/e"];
const PATIENCE = { timeoutMs: 30_000 };
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const idle: Duty = { begin: async () => {}, end: async () => {} };

interface Told {
  readonly name: EventName;
  readonly unit: string;
}

/** What a master process has of the leader's parts. */
class Process {
  readonly masters: Masters;
  readonly leaders: Leader[];
  readonly #stopping = new AbortController();
  #stopped: Promise<void> | undefined;

  constructor(around: {
    keys: Keys;
    revision: string;
    leaseMs: number;
    commands: RedisClient;
    leases: RedisClient;
    subscriber: RedisClient;
    told: Told[];
  }) {
    const { keys, revision, told, commands, leases, subscriber } = around;
    const timing = leaseTiming(around.leaseMs);
    const owner = `pod/${randomId()}`;
    const emit = (name: EventName, fields: unknown): void =>
      void told.push({ name, unit: (fields as { unit: string }).unit });
    const common = { clock: systemClock, random: Math.random, emit, timing };
    const stopping = this.#stopping.signal;
    this.masters = new Masters({ ...common, client: commands, keys, owner, pod: "pod", revision, stopping });
    this.leaders = UNITS.map((unit) => {
      const lease = new Lease({ client: leases, keys, unit, owner, newId: randomId, timing, clock: systemClock });
      const freeChannel = keys.leaseFree(unit);
      const leader = new Leader({ ...common, lease, duty: idle, subscriber, freeChannel, courtesy: this.masters });
      this.masters.stand(leader);
      return leader;
    });
  }

  async start(): Promise<void> {
    await this.masters.start();
    for (const leader of this.leaders) await leader.start();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  get leads(): number {
    return this.leaders.filter(({ state }) => state === "leader").length;
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.leaders.map((leader) => leader.stop(2_000)));
    await this.masters.stop();
  }
}

test("until Redis has heard that it is there it says so again soon, not only with the next beat", async () => {
  const clock = new ManualClock();
  const callBuffer = vi.fn(async (): Promise<unknown> => Promise.reject(new Error("away")));
  const timing = leaseTiming(6_000);
  const masters = new Masters({
    client: { callBuffer } as unknown as RedisClient,
    keys: new Keys("away", 0),
    owner: "me",
    pod: "pod",
    revision: "1",
    timing,
    stopping: new AbortController().signal,
    clock,
    random: () => 0.5,
    emit: () => {},
  });
  await masters.start();
  // In steps: what it does between two sleeps takes more than one turn.
  const pass = async (): Promise<void> => {
    for (let step = 0; step < 10; step++) await clock.advance(timing.renewMs / 20);
  };
  await pass();
  expect(callBuffer.mock.calls.length).toBeGreaterThan(2);
  expect(masters.isKnown).toBe(false);
  callBuffer.mockResolvedValue(["me", "1", JSON.stringify({ pod: "pod", revision: "1", units: [], leads: 0 })]);
  await pass();
  expect(masters.isKnown).toBe(true);
  await masters.stop();
});

eachServer((_name, getUrl) => {
  async function connected(purpose: Purpose): Promise<RedisClient> {
    const client = openRedis({ url: getUrl(), name: "test", purpose, onState: () => {} });
    client.setMaxListeners(0);
    cleanups.push(() => closeRedis(client));
    await waitFor(() => client.status === "ready", PATIENCE);
    return client;
  }

  class Fleet {
    readonly keys = new Keys(`masters-${randomId()}`, 0);
    readonly told: Told[] = [];
    readonly #leaseMs: number;
    #asking: RedisClient | undefined;

    constructor(leaseMs: number) {
      this.#leaseMs = leaseMs;
    }

    /** Resolves when the others can know of it. */
    async start(revision = "1"): Promise<Process> {
      const { keys, told } = this;
      const commands = await connected("commands");
      const [leases, subscriber] = [await connected("lease"), await connected("subscriber")];
      const process = new Process({ keys, told, revision, leaseMs: this.#leaseMs, commands, leases, subscriber });
      cleanups.push(() => process.stop());
      const before = (await this.peers()).length;
      await process.start();
      await waitFor(async () => (await this.peers()).length > before, PATIENCE);
      return process;
    }

    async peers() {
      this.#asking ??= await connected("commands");
      return mastersOf(this.#asking, this.keys, this.#leaseMs);
    }

    /** How often each unit was won so far. */
    wins(): number[] {
      return UNITS.map((unit) => this.told.filter((one) => one.name === "leader.acquired" && one.unit === unit).length);
    }
  }

  const all = async (processes: readonly Process[]): Promise<void> => {
    const led = (): number => processes.reduce((sum, { leads }) => sum + leads, 0);
    await waitFor(() => led() === UNITS.length, { ...PATIENCE, what: "every unit is led" });
  };

  test("masters that start together share the units", async () => {
    const fleet = new Fleet(900);
    const processes = await Promise.all([fleet.start(), fleet.start(), fleet.start()]);
    await waitFor(() => Math.max(...processes.map(({ leads }) => leads)) <= 3, PATIENCE);
    await all(processes);
    expect((await fleet.peers()).map(({ units }) => units)).toEqual([UNITS, UNITS, UNITS]);
  });

  test("a master that joins gets its share, one by one, and then nothing moves any more", async () => {
    const fleet = new Fleet(900);
    const first = await fleet.start();
    await all([first]);
    const second = await fleet.start();
    await waitFor(() => first.leads === 4 && second.leads === 2, PATIENCE);
    const yields = (): number => fleet.told.filter(({ name }) => name === "lease.yielding").length;
    const before = yields();
    expect(before).toBeGreaterThanOrEqual(2);
    // Long enough for many more, were anything unsettled.
    const until = performance.now() + 5 * 900;
    await waitFor(() => performance.now() > until, PATIENCE);
    expect(yields()).toBe(before);
  });

  test("an upgrade of three masters moves each Lease exactly once, to the newer revision", async () => {
    const fleet = new Fleet(6_000);
    const old = [await fleet.start("1"), await fleet.start("1"), await fleet.start("1")];
    await all(old);
    const before = fleet.wins();
    const young: Process[] = [];
    for (const process of old) {
      young.push(await fleet.start("2"));
      await process.stop();
      await all([...old, ...young]);
    }
    expect(fleet.wins().map((wins, at) => wins - (before[at] ?? 0))).toEqual(UNITS.map(() => 1));
    expect((await fleet.peers()).map(({ revision }) => revision)).toEqual(["2", "2", "2"]);
  });

  test("a master that died is forgotten after the length of a Lease, one that leaves at once", async () => {
    const fleet = new Fleet(900);
    const [a, b] = [await fleet.start(), await fleet.start()];
    await b.stop();
    expect((await fleet.peers()).length).toBe(1);
    await a.masters.stop();
    const client = await connected("commands");
    const masters = fleet.keys.masters();
    await client.zadd(masters, Date.now() - 10_000, "dead");
    await client.hset(`${masters}:info`, "dead", `1 ${JSON.stringify({ pod: "x", units: [], leads: 0 })}`);
    expect(await fleet.peers()).toEqual([]);
    await fleet.start();
    expect(await client.hexists(`${masters}:info`, "dead")).toBe(0);
  });
});
