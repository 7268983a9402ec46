// The entry of the thread in which an error tracker of one's own runs: a function that spins there holds up nothing but itself.

import { parentPort, workerData } from "node:worker_threads";
import type { ErrorReport } from "../sdk/error-report.ts";

/** `url` of the module. */
export interface TrackerThreadData {
  readonly url: string;
}

/** To the thread. */
export interface ToTracker {
  readonly serial: number;
  readonly report: ErrorReport;
}

/** From it: undefined where it was taken. */
export interface FromTracker {
  readonly serial: number;
  readonly problem: string | undefined;
}

const { url } = workerData as TrackerThreadData;
const loaded = import(url) as Promise<{ readonly default?: unknown }>;
loaded.catch(() => {}); // each report hears of it

async function take(report: ErrorReport): Promise<void> {
  const { default: track } = await loaded;
  if (typeof track !== "function") throw new TypeError("its default export is no function");
  await (track as (report: ErrorReport) => unknown)(report);
}

parentPort?.on("message", ({ serial, report }: ToTracker) => {
  take(report).then(
    () => answer({ serial, problem: undefined }),
    (error: unknown) => answer({ serial, problem: error instanceof Error ? error.message : String(error) }),
  );
});

function answer(said: FromTracker): void {
  parentPort?.postMessage(said);
}
