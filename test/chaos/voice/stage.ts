// The same scenario on several bots side by side, and what all their accounts say together.

import type { Row } from "../../bench/report.ts";
import { waitFor } from "../../support/wait-for.ts";
import { type ChaosOptions, count } from "../findings.ts";
import { type Account, Bot } from "./bot.ts";
import { FenceLog } from "./fence-log.ts";
import { KeptRedis } from "./kept-redis.ts";

export interface Stage {
  readonly bot: Bot;
  readonly redis: KeptRedis;
  readonly log: FenceLog;
  /** How often this bot is broken. */
  readonly times: number;
}

export interface StagePlan {
  readonly leaseMs: number;
  readonly masters: number;
  readonly burnMs?: number;
  /** A Redis for each bot, because it is Redis that is broken. */
  readonly apart?: boolean;
  /** How soon that Redis writes to its disk. */
  readonly sync?: "everysec" | "always";
  /** Where the master of this number finds this Redis. */
  readonly urlOf?: (redis: KeptRedis, master: number) => Promise<string>;
}

/** Plays `act` on every bot, ends everything, and gives the accounts. What fails is a problem of the account. */
export async function onStages(
  options: ChaosOptions,
  plan: StagePlan,
  act: (stage: Stage) => Promise<void>,
): Promise<Account[]> {
  const bots = Math.min(options.bots, options.times);
  const servers: KeptRedis[] = [];
  const logs: FenceLog[] = [];
  const open = async (): Promise<Pick<Stage, "redis" | "log">> => {
    const redis = await KeptRedis.start(plan.sync);
    servers.push(redis);
    const log = new FenceLog([redis.port]);
    logs.push(log);
    await log.start();
    return { redis, log };
  };
  try {
    const shared = plan.apart === true ? undefined : await open();
    const stages = Array.from({ length: bots }, async (_, index) => {
      const { redis, log } = shared ?? (await open());
      const times = Math.floor(options.times / bots) + (index < options.times % bots ? 1 : 0);
      return play(options, plan, { redis, log, times, act });
    });
    return await Promise.all(stages);
  } finally {
    for (const log of logs) log.stop();
    await Promise.all(servers.map((server) => server.stop()));
  }
}

async function play(
  { entry }: ChaosOptions,
  plan: StagePlan,
  scene: Omit<Stage, "bot"> & { readonly act: (stage: Stage) => Promise<void> },
): Promise<Account> {
  const { redis, log, times, act } = scene;
  const { urlOf, leaseMs, masters, burnMs } = plan;
  const from = urlOf ? { urlOf: (master: number) => urlOf(redis, master) } : {};
  const bot = await Bot.start({
    entry,
    redisUrl: redis.url,
    log,
    leaseMs,
    masters,
    ...(burnMs !== undefined && { burnMs }),
    ...from,
  });
  try {
    await act({ bot, redis, log, times });
    return await bot.account();
  } finally {
    await bot.stop();
  }
}

/** What must hold in every scenario, and what is worth knowing of it. */
export function accountRows(name: string, accounts: readonly Account[]): Row[] {
  const sum = (of: (account: Account) => number): number => accounts.reduce((total, one) => total + of(one), 0);
  const stale = accounts.flatMap((account) => account.stale);
  return [
    count(
      `${name}: events lost, doubled or out of order, epochs not growing, accepted from the past`,
      problems(accounts).length,
      { is: 0 },
    ),
    {
      ...count(`${name}: two leaders on the fence log`, Math.round(sum(({ overlapMs }) => overlapMs)), { is: 0 }),
      unit: "ms",
    },
    count(
      `${name}: Actions of a former leader that reached the chat service, most by one connection`,
      Math.max(0, ...stale),
      { atMost: 1 },
    ),
    count(
      `${name}: calls of former leaders that Redis refused`,
      sum(({ refused }) => refused),
    ),
    count(
      `${name}: Leases granted`,
      sum(({ grants }) => grants),
    ),
    count(
      `${name}: lines that people said`,
      sum(({ lines }) => lines),
    ),
    count(
      `${name}: Actions`,
      sum(({ actions }) => actions),
    ),
    count(
      `${name}: Actions in doubt that were said again`,
      sum(({ saidAgain }) => saidAgain),
    ),
  ];
}

export function problems(accounts: readonly Account[]): string[] {
  return accounts.flatMap((account) => account.problems);
}

/** Until this time of `Date.now()`. */
export async function until(time: number): Promise<void> {
  await waitFor(() => Date.now() >= time, { timeoutMs: Math.max(0, time - Date.now()) + 10_000 });
}

/** Somewhere between two renewals. */
export function somewhen(leaseMs: number): Promise<void> {
  return until(Date.now() + (Math.random() * leaseMs) / 3);
}
