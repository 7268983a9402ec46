// The settings of a worker: how much it runs at once, which queues and tags it serves, and how it ends.

import { type Kind, list, named, wholeNumber } from "./kinds.ts";
import { always, type Rows } from "./row.ts";

/** A queue to serve; `*` is every other one. */
export interface Served {
  readonly queue: string;
  readonly weight: number;
}

const SERVED = /^(\*|[^{}:\s,+!*/]{1,64})(?::([1-9]\d{0,2}))?$/;

export const servedQueues: Kind<readonly Served[]> = {
  says: "a list of queues, each with or without a weight from 1 to 999, e.g. high:5,default, and * for all others",
  read: (raw, written) => {
    const matches = list.read(raw, written)?.map((entry) => SERVED.exec(entry));
    const found = matches?.flatMap((match) =>
      match ? [{ queue: match[1] ?? "", weight: Number(match[2] ?? 1) }] : [],
    );
    if (found === undefined || found.length !== matches?.length) return undefined;
    return new Set(found.map(({ queue }) => queue)).size === found.length ? found : undefined;
  },
};

/** Which tags to serve. */
export interface ServedTags {
  /** All that are not in `never`, and what has none. */
  readonly all: boolean;
  readonly untagged: boolean;
  readonly only: readonly string[];
  readonly never: readonly string[];
}

const TAG = /^!?[^{}:\s,+!*/-][^{}:\s,+!*/]{0,63}$/;

export const servedTags: Kind<ServedTags> = {
  says: "*, a list of tags like gpu,eu (only these), *,!gpu (all but these) or - (what has no tag)",
  read: (raw, written) => {
    const terms = list.read(raw, written);
    if (!terms?.every((term) => term === "*" || term === "-" || TAG.test(term))) return undefined;
    const all = terms.includes("*");
    const never = terms.filter((term) => term.startsWith("!")).map((term) => term.slice(1));
    const only = terms.filter((term) => TAG.test(term) && !term.startsWith("!"));
    const untagged = terms.includes("-");
    const isContrary = all ? only.length > 0 || untagged : never.length > 0;
    return isContrary ? undefined : { all, untagged, only, never };
  },
};

export interface WorkerValues {
  readonly workerThreads: number;
  readonly workerConcurrency: number;
  readonly recycleJobs: number;
  readonly recycleHeapMb: number;
  readonly queues: readonly Served[];
  readonly tags: ServedTags;
  readonly pool: string;
  readonly drainMs: number;
}

export const WORKER_ROWS: Rows<WorkerValues> = {
  workerThreads: {
    variable: "ANTIPHON_WORKER_THREADS",
    kind: wholeNumber({ min: 2, max: 64 }),
    preset: ({ cores }) => Math.min(4, Math.max(2, cores)),
    presetSaid: "the machine's cores, at least 2, at most 4",
    sentence: "Handler threads of one worker.",
  },
  workerConcurrency: {
    variable: "ANTIPHON_WORKER_CONCURRENCY",
    kind: wholeNumber({ min: 8, max: 10_000 }),
    preset: always(32),
    sentence: "Deliveries that one worker has in flight at once.",
  },
  recycleJobs: {
    variable: "ANTIPHON_WORKER_RECYCLE_JOBS",
    kind: wholeNumber({ min: 0, max: 1_000_000_000 }),
    preset: always(0),
    sentence: "Deliveries after which a handler thread is replaced by a new one; 0 = never.",
  },
  recycleHeapMb: {
    variable: "ANTIPHON_WORKER_RECYCLE_HEAP_MB",
    kind: wholeNumber({ min: 0, max: 65_536 }),
    preset: always(0),
    sentence: "MB of heap and buffers above which a handler thread is replaced by a new one; 0 = never.",
  },
  queues: {
    variable: "ANTIPHON_QUEUES",
    kind: servedQueues,
    preset: always([{ queue: "*", weight: 1 }]),
    presetSaid: "`*`",
    sentence: "Which queues a worker serves, and how often each comes first: `high:5,default`.",
  },
  tags: {
    variable: "ANTIPHON_TAGS",
    kind: servedTags,
    preset: always({ all: true, untagged: false, only: [], never: [] }),
    presetSaid: "`*`",
    sentence: "Which tags it serves: `gpu,eu` (only these), `*,!gpu` (all but these), `-` (what has none).",
  },
  pool: {
    variable: "ANTIPHON_POOL",
    kind: named("a name of 1 to 63 lower-case letters, digits and hyphens", /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/),
    preset: always("default"),
    sentence: "The pool that a worker belongs to: workers that serve the same queues and are scaled together.",
  },
  drainMs: {
    variable: "ANTIPHON_DRAIN_MS",
    kind: wholeNumber({ min: 0, max: 3_600_000 }),
    preset: always(25_000),
    sentence: "How long SIGTERM lets running handlers run on.",
  },
};
