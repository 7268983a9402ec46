// `helm upgrade` under load: nobody outside may notice.

import { setTimeout as pause } from "node:timers/promises";
import { count, type Finding } from "../support/figures.ts";
import type { Release } from "../support/release.ts";
import { underLoad } from "../support/under-load.ts";
import { changesOf, notOnce } from "../support/watch-seats.ts";
import { badExits } from "../support/exits.ts";

export interface UpgradeOptions {
  readonly steadyMs: number;
  /** Helm changes both at once and promises no order: this one goes first on purpose. */
  readonly first?: "master" | "worker";
}

export async function upgraded(release: Release, { steadyMs, first }: UpgradeOptions): Promise<Finding> {
  const name = first === undefined ? "helm upgrade" : `helm upgrade, ${first}s first`;
  const before = await release.seats();
  const from = Date.now();
  const account = await underLoad({
    release,
    name,
    steadyMs,
    act: async () => {
      const round = String(from);
      if (first !== undefined) await release.roll(round, [first]);
      await release.roll(round, ["master", "worker"]);
      await pause(steadyMs / 2);
    },
  });
  const changes = changesOf(before, await release.seats());
  const exits = badExits(release.pods.all.filter(({ deletedAt }) => (deletedAt ?? 0) >= from));
  const [workers, masters] = [release.pods.of("worker").length, release.pods.of("master").length];
  return {
    name: first === undefined ? "upgrade" : `upgrade-${first}s-first`,
    conditions: [`${workers} workers, ${masters} masters; the chart's own rollout settings`, ...account.conditions],
    rows: [
      ...account.rows,
      ...changes.map(({ unit, handovers }) => count(`${name}: handovers of ${unit}`, handovers, { is: 1 })),
      count(
        `${name}: Leases that ran out`,
        changes.reduce((sum, { expiries }) => sum + expiries, 0),
        { is: 0 },
      ),
      count(`${name}: pods that did not end with exit code 0`, exits.length, { is: 0 }),
    ],
    problems: [...account.problems, ...notOnce(changes), ...exits],
  };
}
