// What we break: the leader, by SIGKILL and by SIGTERM. What must hold: another leads within a Lease, or at once; nothing
// that was said is lost, doubled or out of order.

import { type ChaosOptions, count, distribution, type Finding } from "../findings.ts";
import { handovers } from "./judge.ts";
import { accountRows, onStages, problems, somewhen } from "./stage.ts";

const PEERS = "client-go 15–17 s, n8n ≤ 13 s";
/** What the grant may come later than the Lease runs out. */
const WAKE_MS = 200;

export async function killed(options: ChaosOptions, leaseMs = 6_000): Promise<Finding> {
  const name = `leader SIGKILL, lease ${leaseMs / 1000} s`;
  const lockMs: number[] = [];
  const intakeMs: number[] = [];
  const accounts = await onStages(options, { leaseMs, masters: 3 }, async ({ bot, times }) => {
    for (let kill = 0; kill < times; kill++) {
      const leader = await bot.leader();
      await somewhen(leaseMs);
      const { epoch } = bot;
      const at = Date.now();
      leader.signal("SIGKILL");
      const next = await bot.successor(epoch);
      lockMs.push(next.at - at);
      intakeMs.push(next.intakeAt - at);
      await bot.fill();
    }
    options.note(`${name}: ${lockMs.length} of ${options.times}`);
  });
  return {
    name: "kill",
    conditions: [conditionOf(options, "3 masters"), "the kill comes at any moment between two renewals"],
    rows: [
      ...distribution(`${name} → another holds the Lease`, lockMs, { p99: leaseMs + WAKE_MS, peer: PEERS }),
      ...distribution(`${name} → the first event is taken in`, intakeMs, { p99: leaseMs + 1_500 }),
      ...accountRows(name, accounts),
    ],
    problems: problems(accounts),
  };
}

export async function handedOver(options: ChaosOptions): Promise<Finding> {
  const name = "planned handover";
  const lockMs: number[] = [];
  const intakeMs: number[] = [];
  const badExits: string[] = [];
  const accounts = await onStages(options, { leaseMs: 6_000, masters: 3 }, async ({ bot, log, times }) => {
    const planned = new Set<number>();
    for (let handover = 0; handover < times; handover++) {
      const leader = await bot.leader();
      await somewhen(1_000);
      const { epoch } = bot;
      leader.signal("SIGTERM");
      planned.add((await bot.successor(epoch)).epoch);
      const { code, signal } = await leader.exited;
      if (code !== 0) badExits.push(`a master that handed over ended with ${code ?? signal}`);
      await bot.fill();
    }
    for (const { epoch, lockMs: lock, intakeMs: intake } of handovers(log.of(bot.lease))) {
      if (!planned.has(epoch)) continue;
      lockMs.push(lock);
      if (intake !== undefined) intakeMs.push(intake);
    }
    options.note(`${name}: ${lockMs.length} of ${options.times}`);
  });
  return {
    name: "handover",
    conditions: [conditionOf(options, "3 masters, lease 6 s"), "the leader gets SIGTERM and must end with code 0"],
    rows: [
      ...distribution(`${name}, lock to lock`, lockMs, { p99: 250, peer: "restart 10–60 s" }),
      ...distribution(`${name}, last event before → first after`, intakeMs, {
        max: 1_000,
        peer: "Slack's Node client ≥ 5 s",
      }),
      count(`${name}: masters that did not end with code 0`, badExits.length, { is: 0 }),
      ...accountRows(name, accounts),
    ],
    problems: [...problems(accounts), ...badExits],
  };
}

export function conditionOf({ bots, times }: ChaosOptions, masters: string): string {
  const side = Math.min(bots, times);
  return `${side} bot${side > 1 ? "s" : ""} side by side, each ${masters} and a chat service that lets every connection speak; 50 lines and 25 Actions a second each`;
}
