// What becomes of jobs that run when their pod is told to go: short ones end in place, one beyond the drain time is handed
// back and ends elsewhere, and a longer drain time lets it end in place.

import { waitFor } from "../../support/wait-for.ts";
import { badExits } from "../support/exits.ts";
import { count, type Finding, time } from "../support/figures.ts";
import type { Release } from "../support/release.ts";

/** What the job returns. */
interface Done {
  readonly first: string;
  readonly last: string;
  readonly attempt: number;
}

const SHORT_JOBS = 20;
const LONG_MS = 120_000;
const BEGIN_MS = 60_000;
const DRAIN_MS = 25_000;
/** Beyond the drain time: abort, closing, flushing. */
const MORE_MS = 8_000;
const LONG_DRAIN_SECONDS = 180;
const ROLLOUT_MS = 400_000;

export async function jobsThroughUpgrade(release: Release): Promise<Finding> {
  const short = await shortJobs(release);
  const long = await longJob(release);
  // From now on pods may drain for longer.
  const slow = new Set<string>();
  await release.upgrade({ worker: { drainSeconds: LONG_DRAIN_SECONDS } });
  for (const { name } of release.pods.of("worker")) slow.add(name);
  const patient = await longJob(release);
  const gone = release.pods.all.filter(({ component, goneAt }) => component === "worker" && goneAt !== undefined);
  const killed = badExits(gone);
  const longest = Math.max(...gone.filter((pod) => !slow.has(pod.name)).map(({ drainMs = 0 }) => drainMs));
  return {
    name: "jobs",
    conditions: [
      `${SHORT_JOBS} jobs of 1–20 s and one of ${LONG_MS / 1000} s; \`kubectl rollout restart\` of the workers while they run`,
    ],
    rows: [
      count("jobs of 1–20 s that ended on the pod that began them, at attempt 1", short.inPlace, { is: SHORT_JOBS }),
      count("a job of 120 s: ended on another pod", long.moved ? 1 : 0, { is: 1 }),
      count("a job of 120 s: attempts counted", long.attempt, { is: 1 }),
      ...(long.interrupted === undefined
        ? []
        : [count("a job of 120 s: counted as interrupted (`run.interrupted`)", long.interrupted, { is: 1 })]),
      count(`a job of 120 s with worker.drainSeconds ${LONG_DRAIN_SECONDS}: ended in place`, patient.moved ? 0 : 1, {
        is: 1,
      }),
      time("SIGTERM → end of a worker, longest, with a drain time of 25 s", longest, DRAIN_MS + MORE_MS),
      count("workers that did not end with exit code 0", killed.length, { is: 0 }),
    ],
    problems: [
      ...short.problems,
      ...killed,
      ...(long.moved && long.attempt === 1 && long.interrupted !== 0 ? [] : [`the long job: ${JSON.stringify(long)}`]),
      ...(!patient.moved ? [] : [`with a long drain time: ${JSON.stringify(patient)}`]),
      ...(longest <= DRAIN_MS + MORE_MS ? [] : [`a worker needed ${longest} ms to end`]),
    ],
  };
}

async function shortJobs(release: Release): Promise<{ inPlace: number; problems: string[] }> {
  const { queue } = release.store;
  const jobs = await Promise.all(
    Array.from({ length: SHORT_JOBS }, (_, index) =>
      queue.enqueue("e2e.work", { event: `short-${index}-${Date.now()}`, ms: 1_000 * (1 + index) }, { result: "1h" }),
    ),
  );
  await running(release, SHORT_JOBS);
  await restart(release);
  const done = await Promise.all(jobs.map(({ id }) => queue.result(id, { timeout: "2m" }) as Promise<Done>));
  const strange = done.filter(({ first, last, attempt }) => first !== last || attempt !== 1);
  return {
    inPlace: done.length - strange.length,
    problems: strange.map((one) => `a short job: ${JSON.stringify(one)}`),
  };
}

interface Long {
  readonly moved: boolean;
  readonly attempt: number;
  /** Undefined where the log of its first pod is not whole: nodes that share a machine take each other's logs away. */
  readonly interrupted: number | undefined;
}

async function longJob(release: Release): Promise<Long> {
  const { queue } = release.store;
  const { id } = await queue.enqueue("e2e.work", { event: `long-${Date.now()}`, ms: LONG_MS }, { result: "1h" });
  await running(release, 1);
  await restart(release);
  const { first, last, attempt } = (await queue.result(id, { timeout: "6m" })) as Done;
  await release.pods.read();
  const isWhole = release.pods.logged("process.stopped").some(({ pod }) => pod === first);
  const lines = release.pods.logged("run.interrupted").filter(({ origin }) => origin === id);
  return { moved: first !== last, attempt, interrupted: isWhole ? lines.length : undefined };
}

async function running({ store }: Release, jobs: number): Promise<void> {
  const run = async (): Promise<boolean> => (await store.queue.depth("default")).claimed >= jobs;
  await waitFor(run, { timeoutMs: BEGIN_MS, what: `${jobs} jobs run` });
}

/** Returns when new pods serve in place of all, and the old ones have gone. */
async function restart(release: Release): Promise<void> {
  const { cluster, namespace } = release;
  await cluster.kubectl("--namespace", namespace, "rollout", "restart", "deployment/antiphon-worker");
  await release.settled(ROLLOUT_MS);
}
