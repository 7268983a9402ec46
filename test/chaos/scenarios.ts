// The scenarios there are: how often each is done in full and in short, and how long what is frozen stays so.

import { busSchedules } from "./bus/bus.ts";
import type { ChaosOptions, Finding } from "./findings.ts";
import { randomKills } from "./random.ts";
import { failovers } from "./sentinel.ts";
import { redisFrozen, redisRestarted } from "./voice/away.ts";
import { blocked, frozen } from "./voice/frozen.ts";
import { handedOver, killed } from "./voice/killed.ts";
import { blackhole } from "./voice/network.ts";

export interface Size {
  readonly times: number;
  /** Side by side. */
  readonly bots: number;
  readonly holdMs?: number;
  readonly minutesMax?: number;
}

export interface Scenario {
  readonly what: string;
  readonly run: (options: ChaosOptions) => Promise<Finding>;
  readonly full: Size;
  readonly short: Size;
}

const FAST_LEASE_MS = 3_000;

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  kill: {
    what: "the leader is killed; a Lease of 6 s",
    run: (options) => killed(options),
    full: { times: 100, bots: 4 },
    short: { times: 3, bots: 3 },
  },
  "kill-fast": {
    what: "the leader is killed; a Lease of 3 s",
    run: (options) => killed(options, FAST_LEASE_MS),
    full: { times: 100, bots: 4 },
    short: { times: 2, bots: 2 },
  },
  handover: {
    what: "the leader is told to stop",
    run: handedOver,
    full: { times: 50, bots: 2 },
    short: { times: 4, bots: 2 },
  },
  freeze: {
    what: "the leader stands still (SIGSTOP) and goes on",
    run: frozen,
    full: { times: 12, bots: 4, holdMs: 10_000 },
    short: { times: 2, bots: 2, holdMs: 10_000 },
  },
  block: {
    what: "the leader's event loop is blocked",
    run: blocked,
    full: { times: 12, bots: 4, holdMs: 10_000 },
    short: { times: 2, bots: 2, holdMs: 10_000 },
  },
  "redis-frozen": {
    what: "Redis stands still and goes on",
    run: redisFrozen,
    full: { times: 10, bots: 5, holdMs: 30_000 },
    short: { times: 2, bots: 2, holdMs: 8_000 },
  },
  "redis-restarted": {
    what: "Redis is killed and started again",
    run: redisRestarted,
    full: { times: 10, bots: 5 },
    short: { times: 2, bots: 1 },
  },
  blackhole: {
    what: "the network between the leader and Redis swallows everything; is slow; is cut",
    run: blackhole,
    full: { times: 12, bots: 4, holdMs: 10_000 },
    short: { times: 1, bots: 1, holdMs: 8_000 },
  },
  sentinel: {
    what: "Sentinels move the primary, under load",
    run: failovers,
    full: { times: 6, bots: 1 },
    short: { times: 2, bots: 1 },
  },
  random: {
    what: "masters and workers are killed at random, under load",
    run: randomKills,
    full: { times: 1_000, bots: 1 },
    short: { times: 20, bots: 1 },
  },
  bus: {
    what: "readers and publishers of the bus, its connections, processes and Redis, by random schedules",
    run: busSchedules,
    full: { times: 10_000, bots: 1 },
    short: { times: 300, bots: 1 },
  },
};

/** Of a size, however it was changed. */
export function optionsOf(size: Size, around: Pick<ChaosOptions, "entry" | "note">): ChaosOptions {
  return { holdMs: 10_000, ...size, ...around };
}
