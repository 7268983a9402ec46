// What is measured, seen from the scenarios: a bot that takes webhooks and answers `ping`. Antiphon and Hubot look alike here.

import type { Started } from "../processes.ts";

export interface Subject {
  readonly name: string;
  readonly httpPort: number;
  /** The process that takes the webhooks. */
  readonly main: Started;
  /** Every process, by what it is, for CPU figures. */
  readonly pids: Readonly<Record<string, number>>;
  /** From the start of `main` to ready. */
  readonly bootMs: number;
  stop(): Promise<void>;
}

export interface Surroundings {
  /** Where handlers tell what ran. */
  readonly tallyPort: number;
  /** Where the fake chat service is. */
  readonly chatPort: number;
}
