// What we break: the line between the leader and Redis swallows everything, or all lines are slow, or are cut for a moment.
// What must hold: who is cut off falls silent before another leads and follows when it is back; a slow line costs no Lease.

import { type Proxy, startProxy } from "../../support/proxy.ts";
import { waitFor } from "../../support/wait-for.ts";
import { type ChaosOptions, count, distribution, type Finding } from "../findings.ts";
import type { Bot } from "./bot.ts";
import { conditionOf } from "./killed.ts";
import { accountRows, onStages, problems, somewhen, until } from "./stage.ts";

const LEASE_MS = 6_000;
const SILENT_MS = 4_100;
const CUT_MS = 1_000;
/** Each way. */
const SLOW_MS = 150;
const SLOW_FOR_MS = 8_000;
const BACK_MS = 20_000;

export async function blackhole(options: ChaosOptions): Promise<Finding> {
  const title = `leader's line to Redis swallows everything for ${options.holdMs / 1000} s`;
  const lockMs: number[] = [];
  const silentMs: number[] = [];
  const proxies = new Map<string, Promise<Proxy>>();
  let lostToSlowness = 0;
  const plan = {
    leaseMs: LEASE_MS,
    masters: 3,
    apart: true,
    urlOf: async ({ port }: { readonly port: number }, master: number): Promise<string> => {
      const proxy = startProxy(port);
      proxies.set(`${port} ${master}`, proxy);
      return `redis://127.0.0.1:${(await proxy).port}`;
    },
  };
  try {
    const accounts = await onStages(options, plan, async ({ bot, redis, times }) => {
      const mine = await Promise.all(
        bot.masters.map((_, index) => proxies.get(`${redis.port} ${index}`) as Promise<Proxy>),
      );
      lostToSlowness += await disturbed(bot, mine);
      for (let hole = 0; hole < times; hole++) {
        const leader = await bot.leader();
        await somewhen(LEASE_MS);
        const { epoch } = bot;
        const proxy = mine[bot.masters.indexOf(leader)] as Proxy;
        const at = Date.now();
        proxy.swallow();
        const next = await bot.successor(epoch);
        await until(at + options.holdMs);
        const { attemptAt, leftAt } = bot.lastSeen(epoch);
        lockMs.push(next.at - at);
        silentMs.push(Math.max(attemptAt, Math.min(leftAt, Date.now())) - at);
        const heard = leader.lines.length;
        await proxy.mend();
        const isBack = (): boolean =>
          leader.lines.slice(heard).some((line) => /"connection":"lease","state":"ready"/.test(line));
        await waitFor(isBack, { timeoutMs: BACK_MS, what: "who was cut off is back" });
      }
      options.note(`${title}: ${lockMs.length} of ${options.times}`);
    });
    return {
      name: "blackhole",
      conditions: [
        conditionOf(options, "a Redis of its own, 3 masters, lease 6 s"),
        "a TCP proxy of its own before each master",
      ],
      rows: [
        ...distribution(`${title} → another holds the Lease`, lockMs, { p99: LEASE_MS + 200 }),
        ...distribution(`${title} → it is silent, its connection closed`, silentMs, { max: SILENT_MS }),
        count(
          `Leases lost while every line took ${SLOW_MS} ms longer each way, or was cut for ${CUT_MS} ms`,
          lostToSlowness,
          { is: 0 },
        ),
        ...accountRows(title, accounts),
      ],
      problems: problems(accounts),
    };
  } finally {
    await Promise.all([...proxies.values()].map(async (proxy) => (await proxy).stop()));
  }
}

/** @returns how often the Lease changed hands for it */
async function disturbed(bot: Bot, proxies: readonly Proxy[]): Promise<number> {
  const { epoch } = bot;
  for (const proxy of proxies) proxy.delay(SLOW_MS);
  await until(Date.now() + SLOW_FOR_MS);
  for (const proxy of proxies) proxy.delay(0);
  const lost = bot.epoch === epoch ? 0 : 1;
  await until(Date.now() + CUT_MS);
  const before = bot.epoch;
  await Promise.all(proxies.map((proxy) => proxy.refuse()));
  await until(Date.now() + CUT_MS);
  await Promise.all(proxies.map((proxy) => proxy.mend()));
  await until(Date.now() + LEASE_MS);
  return lost + (bot.epoch === before ? 0 : 1);
}
