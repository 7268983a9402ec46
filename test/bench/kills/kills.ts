// The benchmark `kills`: workers die by SIGKILL under load; how long until what they ran runs elsewhere.

import type { BenchOptions } from "../benches.ts";
import { buildAntiphon } from "../flood/antiphon.ts";
import { redisVersion } from "../redis.ts";
import type { Finished, Row } from "../report.ts";
import { quantile } from "../statistics.ts";
import { Scene, WORKERS } from "./scene.ts";

/** Kills of one worker and of three at once, in a round. */
const SINGLE = 12;
const TRIPLE = 3;
const BY_TIME = 1;
/** Upper ends of the distribution that is printed, ms. */
const STEPS = [250, 500, 750, 1000, 1500, 2000, 3000, 4000, 5000, 6000];

interface Killed {
  readonly name: string;
  readonly kills: number;
  readonly againMs: readonly number[];
  readonly lost: number;
}

/** Takes about two minutes a round. */
export async function kills({ rounds, note }: BenchOptions): Promise<Finished> {
  buildAntiphon();
  const one = `1 of ${WORKERS}`;
  const three = `3 of ${WORKERS}`;
  const killed = [
    await measure({ name: one, times: rounds * SINGLE, count: 1, withMaster: true }, note),
    await measure({ name: three, times: rounds * TRIPLE, count: 3, withMaster: true }, note),
    await measure(
      { name: `${one}, nobody sees the close`, times: rounds * BY_TIME, count: 1, withMaster: false },
      note,
    ),
  ];
  return {
    name: "kills",
    conditions: [
      `${WORKERS} workers and a master, built, with default settings, each a process; redis-server ${redisVersion()}, AOF off`,
      "200 jobs/s that last 100 ms; what a killed worker ran is counted from the signal until it begins in another worker",
      "the next kill comes when all of it ran again and others took the places; the first one 6 s after the master began",
      ...killed.map(distribution),
    ],
    rows: killed.flatMap(rowsOf),
  };
}

interface Plan {
  readonly name: string;
  readonly times: number;
  readonly count: number;
  readonly withMaster: boolean;
}

async function measure({ name, times, count, withMaster }: Plan, note: BenchOptions["note"]): Promise<Killed> {
  const scene = await Scene.open({ withMaster });
  let never = 0;
  try {
    for (let kill = 0; kill < times; kill++) await scene.kill(count);
  } finally {
    never = await scene.close();
  }
  const killed = { name, kills: scene.kills, againMs: scene.againMs, lost: scene.lost + never };
  note(distribution(killed));
  return killed;
}

function distribution({ name, kills: count, againMs }: Killed): string {
  const steps = STEPS.map((end, index) => {
    const begin = STEPS[index - 1] ?? 0;
    return [end, againMs.filter((ms) => ms > begin && ms <= end).length] as const;
  });
  const text = steps.filter(([, many]) => many > 0).map(([end, many]) => `≤ ${end} ms: ${many}`);
  const later = againMs.filter((ms) => ms > (STEPS.at(-1) ?? 0)).length;
  return `${name}: ${count} kills, ${againMs.length} deliveries; ${[...text, `later: ${later}`].join(", ")}`;
}

function rowsOf({ name, againMs, lost }: Killed, index: number): Row[] {
  const row = (what: string, value: number, limit: number): Row => ({
    name: `SIGKILL of ${name}, until elsewhere, ${what}`,
    value,
    unit: "ms",
    reach: `≤ ${limit} ms`,
    holds: value <= limit,
  });
  const longest = row("longest", Math.max(...againMs), 6000);
  const isSeen = index < 2;
  const seen = [row("p50", quantile(againMs, 0.5), 1000), row("p99", quantile(againMs, 0.99), 2000)];
  const none: Row = { name: `SIGKILL of ${name}, never run`, value: lost, unit: "", reach: "0", holds: lost === 0 };
  return [...(isSeen ? seen : []), longest, none];
}
