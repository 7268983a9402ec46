// Every pod of the release is told to go through the eviction API at the same moment; the PodDisruptionBudgets say who may.

import { setTimeout as pause } from "node:timers/promises";
import { badExits } from "../support/exits.ts";
import { count, type Finding } from "../support/figures.ts";
import type { Pod } from "../support/pods.ts";
import type { Release } from "../support/release.ts";
import { underLoad } from "../support/under-load.ts";

const AGAIN_MS = 1_000;
const EACH_MS = 240_000;

export async function evicted(release: Release): Promise<Finding> {
  const { pods } = release;
  const name = "evictions";
  const victims = [...pods.of("worker"), ...pods.of("master")];
  let refused = 0;
  const account = await underLoad({
    release,
    name,
    steadyMs: 3_000,
    act: async () => {
      const tries = await Promise.all(victims.map((pod) => evict(release, pod)));
      refused = tries.reduce((sum, one) => sum + one - 1, 0);
      await release.settled();
    },
  });
  const gone = pods.all.filter((pod) =>
    victims.some((victim) => victim.object.metadata.uid === pod.object.metadata.uid),
  );
  const exits = badExits(gone);
  const left = gone.filter(({ deletedAt }) => deletedAt === undefined).length;
  return {
    name: "evict",
    conditions: [
      `${pods.of("worker").length} workers, ${pods.of("master").length} masters, the chart's PodDisruptionBudgets; all of them evicted at once, and again each second where a budget forbids it`,
      ...account.conditions,
    ],
    rows: [
      count(`${name}: pods evicted`, victims.length - left),
      count(`${name}: refused by a budget, and tried again`, refused),
      ...account.rows,
      count(`${name}: pods that did not end with exit code 0`, exits.length, { is: 0 }),
    ],
    problems: [...account.problems, ...exits, ...(left === 0 ? [] : [`${left} pods were not evicted`])],
  };
}

/** Resolves with how often it was tried. */
async function evict({ cluster, namespace }: Release, { name }: Pod): Promise<number> {
  const path = `/api/v1/namespaces/${namespace}/pods/${name}/eviction`;
  const body = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } };
  const until = Date.now() + EACH_MS;
  for (let time = 1; ; time++) {
    try {
      await cluster.api(path, { method: "POST", body });
      return time;
    } catch (error) {
      if (!String(error).includes(": 429 ") || Date.now() > until) throw error;
      await pause(AGAIN_MS);
    }
  }
}
