// Pods of masters and workers are deleted at random, without grace, under load.

import { setTimeout as pause } from "node:timers/promises";
import { waitFor } from "../../support/wait-for.ts";
import { count, type Finding } from "../support/figures.ts";
import type { Pod } from "../support/pods.ts";
import type { Release } from "../support/release.ts";
import { underLoad } from "../support/under-load.ts";

const PAUSE_MS = 2_500;
const BACK_MS = 120_000;

export async function killed(release: Release, runMs: number): Promise<Finding> {
  const name = "random kills";
  const victims: Record<string, number> = { worker: 0, master: 0 };
  const act = async (): Promise<void> => {
    const until = Date.now() + runMs;
    while (Date.now() < until) {
      const victim = await pick(release);
      const grace = Math.random() < 0.5 ? 0 : 1;
      await destroy(release, victim, grace);
      victims[victim.component] = (victims[victim.component] ?? 0) + 1;
      await pause(PAUSE_MS * (0.5 + Math.random()));
    }
    await release.settled();
  };
  const account = await underLoad({ release, name, steadyMs: 2_000, failuresAllowed: true, act });
  const [workers, masters] = [release.pods.of("worker").length, release.pods.of("master").length];
  return {
    name: "kills",
    conditions: [
      `${workers} workers, ${masters} masters; for ${runMs / 1000} s a pod every ${PAUSE_MS} ms on average`,
      "half by `kubectl delete pod --force` (the kubelet ends it in its own time), half with a grace of 1 s (SIGKILL)",
      ...account.conditions,
    ],
    rows: [
      count(`${name} of workers`, victims["worker"] ?? 0),
      count(`${name} of masters`, victims["master"] ?? 0),
      ...account.rows,
    ],
    problems: account.problems,
  };
}

/** One master of three victims. The last one that serves is spared: somebody must be there to accept. */
async function pick(release: Release): Promise<Pod> {
  const find = (): Pod | undefined => {
    const component = Math.random() < 0.33 ? "master" : "worker";
    const there = release.pods.ready(component);
    return there.length > 1 ? there[Math.floor(Math.random() * there.length)] : undefined;
  };
  return waitFor(find, { timeoutMs: BACK_MS, what: "two pods of a kind are ready" });
}

/** 0 is `--force`; without a grace its own. */
export async function destroy(
  { cluster, namespace }: Release,
  { name }: Pod,
  gracePeriodSeconds?: number,
): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
  await cluster.api(path, { method: "DELETE", body: { kind: "DeleteOptions", apiVersion: "v1", gracePeriodSeconds } });
}
