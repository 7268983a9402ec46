// How pods that were told to go went: exit code and time from SIGTERM on.

import type { LogLine, Pod } from "./pods.ts";

/** One line for each that did not end by itself with 0. */
export function badExits(pods: readonly Pod[]): string[] {
  return pods
    .filter(({ component, exitCode }) => ["master", "worker"].includes(component) && exitCode !== 0)
    .map(({ name, exitCode, object }) => `${name} ended with ${exitCode ?? "no code"} (${object.status.phase})`);
}

export interface Drain {
  readonly pod: string;
  /** From SIGTERM to the end of the process, by its own log. */
  readonly ms: number;
  /** Deliveries that were handed back. */
  readonly returned: number;
  /** So long handlers ran on. */
  readonly drainMs: number;
}

/** Of every worker that drained, as its log says. */
export function drainsOf(logged: (event: string) => LogLine[]): Drain[] {
  const [stopping, stopped] = [logged("process.stopping"), logged("process.stopped")];
  return logged("worker.drained").flatMap(({ pod, returned, ms }) => {
    const from = stopping.find((line) => line.pod === pod);
    const to = stopped.find((line) => line.pod === pod);
    if (from === undefined || to === undefined) return [];
    return [{ pod, ms: timeOf(to) - timeOf(from), returned: Number(returned), drainMs: Number(ms) }];
  });
}

export function timeOf({ time }: LogLine): number {
  return Date.parse(time);
}
