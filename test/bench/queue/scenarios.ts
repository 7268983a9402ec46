// What is done with each subject of the benchmark `queue`: one function a scenario, each on fresh processes.

import { quantile } from "../statistics.ts";
import { Pair, type SubjectName } from "./pair.ts";

export type Measurement = Readonly<Record<string, number>>;

export interface Scenario {
  readonly name: string;
  readonly subjects: readonly SubjectName[];
  readonly run: (subject: SubjectName, seconds: number) => Promise<Measurement>;
}

export const SLOTS = 100;
export const BATCH = 500;
export const KEYS = 1000;
/** About how many jobs each does in a second, so that every subject is measured for about as long. */
const PACE: Readonly<Record<SubjectName, number>> = {
  antiphon: 50_000,
  bullmq: 10_000,
  groupmq: 10_000,
  streams: 80_000,
};
const WARMUP_JOBS = 2_000;
const SKIPPED_SHARE = 0.1;
export const IDLE_PER_SECOND = 250;
export const COLD_PER_SECOND = 500;
export const HOT_SHARE = 0.9;

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "unkeyed",
    subjects: ["bullmq", "streams", "antiphon"],
    run: (subject, seconds) => bulk(subject, seconds, 0),
  },
  { name: "keyed", subjects: ["groupmq", "antiphon"], run: (subject, seconds) => bulk(subject, seconds, KEYS) },
  { name: "own key", subjects: ["antiphon"], run: ownKey },
  { name: "idle", subjects: ["bullmq", "groupmq", "antiphon"], run: idle },
  { name: "one at a time", subjects: ["bullmq", "antiphon"], run: oneAtATime },
  { name: "cold alone", subjects: ["antiphon"], run: (subject, seconds) => cold(subject, seconds, 0) },
  {
    name: "cold beside a hot key",
    subjects: ["antiphon"],
    run: (subject, seconds) => cold(subject, seconds, HOT_SHARE),
  },
];

async function withPair<T>(subject: SubjectName, work: (pair: Pair) => Promise<T>): Promise<T> {
  const pair = await Pair.start(subject);
  try {
    return await work(pair);
  } finally {
    await pair.stop();
  }
}

/** Enqueues everything, then handles everything: neither is in the other's way. */
function bulk(subject: SubjectName, seconds: number, keys: number): Promise<Measurement> {
  const jobs = PACE[subject] * seconds;
  return withPair(subject, async (pair) => {
    await pair.enqueue({ jobs: WARMUP_JOBS, batch: BATCH, keys });
    const filled = await pair.enqueue({ jobs, batch: BATCH, keys });
    const all = jobs + WARMUP_JOBS;
    const worked = await pair.work({ jobs: all, skipped: Math.round(all * SKIPPED_SHARE), slots: SLOTS });
    return {
      enqueue: filled.perSecond,
      "enqueue CPU": filled.redisUs,
      bytes: filled.bytes,
      process: worked.perSecond,
      "process CPU": worked.redisUs,
    };
  });
}

function ownKey(subject: SubjectName, seconds: number): Promise<Measurement> {
  return withPair(subject, async (pair) => {
    const jobs = PACE[subject] * seconds;
    const { bytes } = await pair.enqueue({ jobs, batch: BATCH, keys: jobs });
    return { bytes };
  });
}

function idle(subject: SubjectName, seconds: number): Promise<Measurement> {
  return withPair(subject, async (pair) => {
    const jobs = IDLE_PER_SECOND * seconds;
    const order = { jobs, skipped: Math.round(jobs * SKIPPED_SHARE), slots: SLOTS };
    const keys = subject === "groupmq" ? KEYS : 0;
    const { latencies } = await pair.work(order, () => pair.pace({ jobs, perSecond: IDLE_PER_SECOND, keys }));
    return { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) };
  });
}

/** Two loops, each with one job at a time. */
function oneAtATime(subject: SubjectName, seconds: number): Promise<Measurement> {
  return withPair(subject, async (pair) => {
    const jobs = 3_000 * seconds;
    await pair.enqueue({ jobs, batch: BATCH, keys: 0 });
    const skipped = Math.round(jobs * SKIPPED_SHARE);
    const { perSecond } = await pair.work({ type: "loops", jobs, skipped, loops: 2, batch: 1 });
    return { process: perSecond };
  });
}

/** How late jobs of many keys are; with `hotShare`, so much of all work is of one more key, nine times as much for 0.9. */
function cold(subject: SubjectName, seconds: number, hotShare: number): Promise<Measurement> {
  return withPair(subject, async (pair) => {
    const perSecond = Math.round(COLD_PER_SECOND / (1 - hotShare));
    const jobs = perSecond * seconds;
    const order = { jobs, skipped: Math.round(jobs * SKIPPED_SHARE), slots: SLOTS };
    const { latencies } = await pair.work(order, () => pair.pace({ jobs, perSecond, keys: KEYS, hotShare }));
    return { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) };
  });
}

export interface Backlog {
  readonly waiting: number;
  readonly keys: number;
}

const TAKEN = 20_000;
const SOON_MS = 1_500;
const LATER_MS = 3_600_000;

/** What a job costs Redis when so many others wait: settled and taken 32 at a time, µs in scripts. */
export function takeCost({ waiting, keys }: Backlog): Promise<number> {
  return withPair("antiphon", async (pair) => {
    await pair.enqueue({ jobs: waiting, batch: BATCH, keys });
    if (waiting < TAKEN) return costOfSmall(pair, waiting, keys);
    await pair.scripts();
    await pair.work({ type: "loops", jobs: TAKEN, skipped: 0, loops: 1, batch: 32 });
    return (await pair.scripts()).us / TAKEN;
  });
}

/** A small backlog is filled again and again, so that as many jobs are measured. */
async function costOfSmall(pair: Pair, waiting: number, keys: number): Promise<number> {
  let us = 0;
  for (let done = 0; done < TAKEN; done += waiting) {
    await pair.scripts();
    await pair.work({ type: "loops", jobs: waiting, skipped: 0, loops: 1, batch: 32 });
    us += (await pair.scripts()).us;
    await pair.enqueue({ jobs: waiting, batch: BATCH, keys });
  }
  return us / (Math.ceil(TAKEN / waiting) * waiting);
}

/** The same of jobs that become due while so many others are not. */
export function promoteCost(delayed: number): Promise<number> {
  return withPair("antiphon", async (pair) => {
    await pair.enqueue({ jobs: delayed, batch: BATCH, keys: 0, delayMs: LATER_MS });
    await pair.enqueue({ jobs: TAKEN, batch: BATCH, keys: 0, delayMs: SOON_MS });
    await new Promise((resolve) => setTimeout(resolve, SOON_MS));
    await pair.scripts();
    await pair.work({ type: "loops", jobs: TAKEN, skipped: 0, loops: 1, batch: 32 });
    return (await pair.scripts()).us / TAKEN;
  });
}
