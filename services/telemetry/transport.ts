// How one report gets to an error tracker, whatever that is.

import type { Report } from "./report.ts";

/** Where reports come from. */
export interface About {
  readonly version: string;
  readonly release: string;
  readonly environment: string;
  /** The pod's or machine's name. */
  readonly server: string;
  readonly mode: string;
  readonly thread?: string;
}

export interface Answer {
  readonly isTaken: boolean;
  readonly problem: string;
  /** Whether the same may succeed later. */
  readonly mayPass: boolean;
  /** The tracker asks to be left alone for so long. */
  readonly pauseMs?: number;
}

/** No tracker is waited for longer. */
export const ANSWER_MS = 3_000;

export interface Transport {
  /** No secret. */
  readonly name: string;
  /** Takes no longer than ANSWER_MS. */
  send(report: Report, stopping: AbortSignal): Promise<Answer>;
  close?(): Promise<void>;
}
