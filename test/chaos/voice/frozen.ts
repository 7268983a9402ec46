// What we break: the leader stands still, by SIGSTOP and by a main thread that burns. What must hold: another leads, and what
// the first one still tries when it goes on is refused.

import { waitFor } from "../../support/wait-for.ts";
import { type ChaosOptions, distribution, type Finding } from "../findings.ts";
import type { Bot } from "./bot.ts";
import { conditionOf } from "./killed.ts";
import type { Master } from "./master.ts";
import { accountRows, onStages, problems, somewhen, until } from "./stage.ts";

const LEASE_MS = 6_000;
const END_MS = 60_000;

interface Still {
  readonly lockMs: number;
  /** From when it went on, or was blocked, to its end. */
  readonly endMs: number;
}

export async function frozen(options: ChaosOptions): Promise<Finding> {
  const name = `leader frozen for ${options.holdMs / 1000} s`;
  return standStill(options, { name: "freeze", title: name, how: "SIGSTOP, then SIGCONT" }, async (bot, leader) => {
    const { epoch } = bot;
    const at = Date.now();
    leader.signal("SIGSTOP");
    const next = await bot.successor(epoch);
    await until(at + options.holdMs);
    const onAt = Date.now();
    leader.signal("SIGCONT");
    await ended(leader);
    return { lockMs: next.at - at, endMs: Date.now() - onAt };
  });
}

export async function blocked(options: ChaosOptions): Promise<Finding> {
  const name = `leader's event loop blocked for ${options.holdMs / 1000} s`;
  return standStill(options, { name: "block", title: name, how: "its main thread burns" }, async (bot, leader) => {
    const { epoch } = bot;
    const at = Date.now();
    leader.signal("SIGUSR2");
    const ending = ended(leader).then(() => Date.now() - at);
    const next = await bot.successor(epoch);
    return { lockMs: next.at - at, endMs: await ending };
  });
}

async function standStill(
  options: ChaosOptions,
  { name, title, how }: { readonly name: string; readonly title: string; readonly how: string },
  act: (bot: Bot, leader: Master) => Promise<Still>,
): Promise<Finding> {
  const found: Still[] = [];
  const plan = { leaseMs: LEASE_MS, masters: 3, burnMs: options.holdMs };
  const accounts = await onStages(options, plan, async ({ bot, times }) => {
    for (let count = 0; count < times; count++) {
      const leader = await bot.leader();
      await somewhen(LEASE_MS);
      found.push(await act(bot, leader));
      await bot.fill();
    }
    options.note(`${title}: ${found.length} of ${options.times}`);
  });
  const lockMs = found.map((one) => one.lockMs);
  const endMs = found.map((one) => one.endMs);
  return {
    name,
    conditions: [conditionOf(options, "3 masters, lease 6 s"), how],
    rows: [
      ...distribution(`${title} → another holds the Lease`, lockMs, { p99: LEASE_MS + 200 }),
      ...distribution(`${title}: its watchdog ends it after`, endMs),
      ...accountRows(title, accounts),
    ],
    problems: problems(accounts),
  };
}

async function ended(leader: Master): Promise<void> {
  await waitFor(() => leader.isDead, { timeoutMs: END_MS, what: "a leader that stood still ends itself" });
}
