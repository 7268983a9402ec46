// Something is done to a release while 200 webhooks and 50 jobs a second come in; then the account is made.

import { setTimeout as pause } from "node:timers/promises";
import type { Row } from "../../bench/report.ts";
import { count, latency } from "./figures.ts";
import { problemsOf, settled } from "./ledger.ts";
import { Load } from "./load.ts";
import type { Release } from "./release.ts";

export interface UnderLoad {
  readonly release: Release;
  /** In the names of its rows. */
  readonly name: string;
  /** Before it, for comparison. */
  readonly steadyMs: number;
  /** Answers that are no 202 do not count against it: what dies without a word breaks connections. */
  readonly failuresAllowed?: boolean;
  readonly act: (load: Load) => Promise<void>;
}

export interface Account {
  readonly rows: readonly Row[];
  readonly problems: readonly string[];
  readonly conditions: readonly string[];
}

const HOOKS_PER_SECOND = 200;
const JOBS_PER_SECOND = 50;
const JOB_MS = 400;
/** What was begun last ends after what was done. */
const AFTER_MS = 2_000;
const SETTLE_MS = 180_000;

export async function underLoad({
  release,
  name,
  steadyMs,
  failuresAllowed = false,
  act,
}: UnderLoad): Promise<Account> {
  const { store, url } = release;
  const load = new Load({
    url,
    queue: store.queue,
    hooksPerSecond: HOOKS_PER_SECOND,
    jobsPerSecond: JOBS_PER_SECOND,
    jobMs: JOB_MS,
  });
  try {
    await pause(steadyMs);
    const began = Date.now();
    await act(load);
    const ended = Date.now();
    await pause(AFTER_MS);
    await load.end();
    await settled(store, SETTLE_MS);
    const problems = await problemsOf(load, store, { failuresAllowed });
    const limit = failuresAllowed ? undefined : { is: 0 };
    return {
      conditions: [
        `${HOOKS_PER_SECOND} webhooks and ${JOBS_PER_SECOND} jobs of up to ${JOB_MS} ms a second, ${Math.round(load.seconds)} s in all`,
      ],
      rows: [
        count(`${name}: webhooks accepted`, load.hooks.length),
        count(`${name}: jobs enqueued`, load.jobs.length),
        count(`${name}: answers that were no 202, or none`, load.failures.length, limit),
        count(`${name}: lost, doubled, out of order, failed or dead`, problems.length, { is: 0 }),
        { name: `${name}: it took`, value: (ended - began) / 1000, unit: "s" },
        ...latency(
          `${name}: a webhook's answer`,
          load.answerMs(began, ended),
          load.answerMs(began - steadyMs / 2, began),
        ),
      ],
      problems,
    };
  } finally {
    await load.end();
  }
}
