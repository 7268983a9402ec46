// The number of workers follows the work: a backlog scales them out, its end scales them in, and only those that are idle go.

import { setTimeout as pause } from "node:timers/promises";
import { waitFor } from "../../support/wait-for.ts";
import { badExits, Holdings } from "../support/exits.ts";
import { count, type Finding, time } from "../support/figures.ts";
import { settled } from "../support/ledger.ts";
import { type Deployment, NAME, type Release } from "../support/release.ts";

const JOBS = 5_000;
const JOB_MS = 1_000;
const OUT_MS = 180_000;
const IN_MS = 900_000;
const DONE_MS = 600_000;
const TRICKLE_MS = 200;
const LOOK_MS = 100;
export interface Followed {
  readonly at: number;
  readonly replicas: number;
}

/** Every change of the wished count of a Deployment, by asking ten times a second. */
export class Counts {
  readonly changes: Followed[] = [];
  readonly #release: Release;
  readonly #component: string;
  #stopped = false;
  #looking: Promise<void> = Promise.resolve();

  constructor(release: Release, component: string) {
    this.#release = release;
    this.#component = component;
    this.#looking = this.#look();
  }

  get now(): number {
    return this.changes.at(-1)?.replicas ?? 0;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#looking;
  }

  async #look(): Promise<void> {
    while (!this.#stopped) {
      const found = await this.#release.deployment(this.#component).catch(() => undefined);
      const replicas = (found as Deployment | undefined)?.spec.replicas;
      if (replicas !== undefined && replicas !== this.now) this.changes.push({ at: Date.now(), replicas });
      await pause(LOOK_MS);
    }
  }
}

export interface Scaling {
  readonly min: number;
  readonly max: number;
}

/** With the chart's defaults: nothing of scaling is set. */
export async function backlog(release: Release, { min, max }: Scaling): Promise<Finding> {
  const { store, pods } = release;
  const counts = new Counts(release, "worker");
  const holdings = new Holdings(store);
  const inputs = (word: string, jobs: number) =>
    Array.from({ length: jobs }, (_, at) => ({ event: `${word}-${at}`, ms: JOB_MS }));
  await waitFor(() => counts.now === min, { timeoutMs: OUT_MS, what: `${min} workers` });
  await release.settled();
  // What a job takes is known from those before.
  await store.queue.enqueueAll("e2e.work", inputs("before", 40));
  await settled(store, DONE_MS);
  const from = Date.now();
  await store.queue.enqueueAll("e2e.work", inputs("flood", JOBS));
  await waitFor(() => counts.now > min, { timeoutMs: OUT_MS, what: "more workers are asked for" });
  const askedMs = (counts.changes.find(({ at, replicas }) => at >= from && replicas > min)?.at ?? Number.NaN) - from;
  await waitFor(() => counts.now === max, { timeoutMs: OUT_MS, what: `${max} workers are asked for` });
  const maxMs = Date.now() - from;
  await settled(store, DONE_MS);
  const doneMs = Date.now() - from;
  // A little work goes on, so that some are busy while others are to go.
  const trickle = setInterval(
    () => void store.queue.enqueue("e2e.work", { event: `little-${Date.now()}`, ms: JOB_MS }).catch(() => {}),
    TRICKLE_MS,
  );
  const idleFrom = Date.now();
  try {
    await waitFor(() => counts.now === min, { timeoutMs: IN_MS, what: `back to ${min} workers` });
  } finally {
    clearInterval(trickle);
  }
  const backMs = Date.now() - idleFrom;
  await settled(store, DONE_MS);
  await release.settled();
  await counts.stop();
  await holdings.stop();
  const removed = pods.all.filter(({ component, deletedAt }) => component === "worker" && (deletedAt ?? 0) >= idleFrom);
  const idle = removed.filter(({ name, deletedAt = 0 }) => holdings.at(name, deletedAt) === 0).length;
  const exits = badExits(removed);
  const dead = (await store.queue.search({ states: ["dead"], limit: 5 })).found.length;
  return {
    name: "backlog",
    conditions: [
      `${JOBS} jobs of ${JOB_MS / 1000} s on ${min} workers; the chart's defaults, \`autoscaling.mode: builtin\` from ${min} to ${max}`,
      `a job each ${TRICKLE_MS} ms while it scales in`,
      `workers wished for: ${counts.changes.map(({ replicas, at }) => `${replicas} at ${((at - from) / 1000).toFixed(1)} s`).join(", ")}`,
    ],
    rows: [
      time("backlog of 5,000 → the first new pod is asked for", askedMs, 2_000),
      time(`backlog of 5,000 → ${max} workers are asked for`, maxMs),
      time("backlog of 5,000 → all done", doneMs),
      time(`all done → ${min} workers are asked for`, backMs),
      count("scale-in: pods removed", removed.length),
      {
        name: "scale-in: of them had nothing in hand when they were told to go",
        value: removed.length === 0 ? Number.NaN : (100 * idle) / removed.length,
        unit: "%",
        reach: "≥ 95 %",
        holds: idle >= 0.95 * removed.length,
      },
      count("scale-in: pods that did not end with exit code 0", exits.length, { is: 0 }),
      count("jobs counted a failure", dead, { is: 0 }),
    ],
    problems: [
      ...(dead === 0 ? [] : [`${dead} dead letters`]),
      ...(removed.length >= max - min ? [] : [`${removed.length} pods were removed`]),
      ...exits,
    ],
  };
}

/** The pool `heavy` has a Deployment of its own; the flood is for it alone. */
export async function pools(release: Release, { min, max }: Scaling): Promise<Finding> {
  const { store } = release;
  const [heavy, others] = [new Counts(release, "worker-heavy"), new Counts(release, "worker")];
  await waitFor(() => heavy.now === min && others.now > 0, { timeoutMs: OUT_MS, what: `${min} heavy workers` });
  await release.settled();
  const before = others.now;
  const from = Date.now();
  await store.queue.enqueueAll(
    "e2e.heavy",
    Array.from({ length: 1_000 }, (_, at) => ({ event: `heavy-${at}`, ms: JOB_MS })),
  );
  await waitFor(() => heavy.now === max, { timeoutMs: OUT_MS, what: `${max} heavy workers` });
  const askedMs = (heavy.changes.find(({ at, replicas }) => at >= from && replicas > min)?.at ?? Number.NaN) - from;
  await settled(store, DONE_MS);
  await Promise.all([heavy.stop(), others.stop()]);
  const moved = others.changes.filter(({ at }) => at >= from).length;
  return {
    name: "pools",
    conditions: [
      `${NAME}-worker serves \`chat\` and \`default\`, the pool \`heavy\` the queue of that name: ${min} to ${max}; 1,000 jobs of ${JOB_MS / 1000} s for it`,
    ],
    rows: [
      time("flood of one pool → its first new pod is asked for", askedMs),
      count(`pods of the flooded pool, before ${min}`, heavy.changes.at(-1)?.replicas ?? 0),
      count(`changes of the other pool, which has ${before} pods`, moved, { is: 0 }),
    ],
    problems: moved === 0 ? [] : ["the other pool was scaled too"],
  };
}
