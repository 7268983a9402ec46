// What the benchmark `queue` and the processes of its subjects say to each other.

import type { Body } from "./body.ts";

/** Enqueues as fast as it goes, `batch` jobs at a time. */
export interface Fill {
  readonly type: "fill";
  readonly jobs: number;
  readonly batch: number;
  /** 0 = without ordering keys. */
  readonly keys: number;
  /** Due after so long; 0 = at once. */
  readonly delayMs?: number;
}

/** Enqueues one job at a time, each with its stamp. */
export interface Pace {
  readonly type: "pace";
  readonly jobs: number;
  readonly perSecond: number;
  readonly keys: number;
  /** This share of the jobs has one key of their own, and no stamp. */
  readonly hotShare?: number;
}

/** Handles until so many jobs ran. */
export interface Work {
  readonly type: "work";
  readonly jobs: number;
  /** The first ones warm up and are not counted. */
  readonly skipped: number;
  readonly slots: number;
}

/** Handles so many jobs at a time in each of so many loops, without threads. */
export interface Loops {
  readonly type: "loops";
  readonly jobs: number;
  readonly skipped: number;
  readonly loops: number;
  readonly batch: number;
}

export type ToSubject = { readonly type: "open"; readonly url: string } | Fill | Pace | Work | Loops;

export type FromSubject =
  | { readonly type: "opened" }
  | { readonly type: "filled"; readonly jobs: number; readonly ms: number }
  | { readonly type: "working" }
  | { readonly type: "worked"; readonly jobs: number; readonly ms: number; readonly latencies: readonly number[] };

/** What a subject can do. It is in a process of its own, which is started twice: for its client and for its worker. */
export interface QueueSubject {
  open(url: string): Promise<void>;
  /** Enqueues one batch; resolves when all of it is stored. */
  enqueue(batch: readonly Item[]): Promise<unknown>;
  /** Resolves when it takes jobs. */
  work(work: Work, memory: SharedArrayBuffer): Promise<unknown>;
  loops(loops: Loops, memory: SharedArrayBuffer): Promise<unknown>;
}

export interface Item {
  readonly body: Body;
  /** "" = none. */
  readonly key: string;
  readonly delayMs: number;
}
