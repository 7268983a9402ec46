// What a run can see and change of other jobs and of queues: `ctx.jobs` and `ctx.queues`. Types only.

import type { Duration } from "./duration.ts";
import type { PriorityClass } from "./place.ts";

/** `claimed`: a worker has it. `held`: it waits for others. */
export type JobState = "waiting" | "claimed" | "delayed" | "held" | "dead";

export interface JobInfo {
  readonly id: string;
  readonly queue: string;
  readonly state: JobState;
  /** Absent in a Message that is not matched yet. */
  readonly route?: string;
  readonly key?: string;
  readonly class: PriorityClass;
  /** Failures so far. */
  readonly attempts: number;
  readonly tags: readonly string[];
  /** Its input as JSON, at most 64 KiB of it when it was searched for. */
  readonly body: string;
  readonly enqueuedAt: Date;
  /** Of a delayed one. */
  readonly due?: Date;
  /** Of a claimed one. */
  readonly worker?: string;
  /** Of a dead one. */
  readonly reason?: string;
}

export interface JobDetails extends JobInfo {
  /** What `progress` said last. */
  readonly progress?: unknown;
  /** Of its last ten attempts that failed. */
  readonly errors: readonly { readonly attempt: number; readonly error: string }[];
}

export interface JobFilter {
  readonly queue?: string;
  /** Id of a route, or name of a handler for all of its routes. */
  readonly route?: string;
  readonly key?: string;
  /** One of its labels, or the tag of its queue. */
  readonly tag?: string;
  /** In its body. */
  readonly text?: string;
  /** Claimed or dead for longer, else enqueued longer ago. */
  readonly olderThan?: Duration;
}

export interface JobSearch extends JobFilter {
  readonly states?: readonly JobState[];
  /** Default: 100. */
  readonly limit?: number;
  /** What the page before gave. */
  readonly cursor?: string;
}

export interface JobPage {
  readonly found: readonly JobInfo[];
  /** Absent at the end. A page may be empty although there is more. */
  readonly cursor: string | undefined;
}

export interface JobTime {
  readonly delay?: Duration;
  readonly at?: Date;
}

export interface JobChange extends JobTime {
  readonly input?: unknown;
  readonly class?: PriorityClass;
}

export type JobEdited = "edited" | "claimed" | "dead" | "held" | "unknown";

/** Ids, or what they have in common. */
export type JobsChosen = string | readonly string[] | JobFilter;

/** Done at once, whatever becomes of this run; doing it again in another attempt changes nothing more. */
export interface Jobs {
  /** Undefined when it has ended. */
  find(id: string): Promise<JobDetails | undefined>;
  /** A bounded amount of work per call. */
  search(wanted?: JobSearch): Promise<JobPage>;
  /** What waits is removed; what runs gets its signal and is ended (`signalled`). */
  cancel(id: string): Promise<"cancelled" | "signalled" | "dead" | "unknown">;
  /** Of what nobody runs: its input, class or time. */
  edit(id: string, wanted: JobChange): Promise<JobEdited>;
  /** Dead letters run again, with no failures counted. Answers how many. */
  retry(chosen: JobsChosen): Promise<number>;
  /** Dead letters are forgotten. Answers how many. */
  purge(chosen: JobsChosen): Promise<number>;
}

export interface QueueDepths {
  /** In line: what may run now, and what stands behind others of its key. */
  readonly ready: number;
  readonly claimed: number;
  /** Due later. */
  readonly delayed: number;
  /** Waits for other jobs. */
  readonly held: number;
  /** Set aside because its route or its key is paused. */
  readonly paused: number;
  readonly dead: number;
}

export interface QueueLimitOptions {
  readonly rate?: { readonly limit: number; readonly per: Duration; readonly burst?: number };
  readonly concurrency?: number;
}

/** All of a queue, one route, or one ordering key. */
export interface PauseOptions {
  readonly route?: string;
  readonly key?: string;
}

/** Of whole queues, over all workers. */
export interface QueueControls {
  depth(queue?: string): Promise<QueueDepths>;
  /** Nothing new of it begins. */
  pause(queue: string, what?: PauseOptions): Promise<void>;
  resume(queue: string, what?: PauseOptions): Promise<void>;
  /** Null takes them away. */
  limit(queue: string, limits: QueueLimitOptions | null): Promise<void>;
}
