// A Snapshot of the bot as lines for a terminal: the Now page in text.

import type { Snapshot } from "../admin/api.ts";
import { columns } from "./command.ts";

export interface FrameOptions {
  readonly width: number;
  /** Lines; what does not fit is left out, and said to be. */
  readonly height: number;
  /** Where it comes from, or what keeps it from coming. */
  readonly headline: string;
}

type QueueNow = Snapshot["queues"][number];

export function frame(snapshot: Snapshot | undefined, { width, height, headline }: FrameOptions): string[] {
  const lines = snapshot === undefined ? [headline] : [headline, "", ...body(snapshot)];
  const shown = lines.map((line) => cut(plain(line), width));
  if (shown.length <= height) return shown;
  return [...shown.slice(0, height - 1), `… ${shown.length - height + 1} more lines`];
}

function body(snapshot: Snapshot): string[] {
  const { totals, redis, queues, pools, units, workers, lastErrors } = snapshot;
  const runs = totals.meanRunMs === null ? "-" : duration(totals.meanRunMs);
  return [
    `ready ${totals.ready}  running ${totals.claimed}  delayed ${totals.delayed}  dead ${totals.dead}  oldest ${duration(totals.oldestMs)}`,
    `in ${rate(totals.arrivalsPerSecond)}  done ${rate(totals.finishedPerSecond)}  failed ${rate(totals.failedPerSecond)}  a run takes ${runs}`,
    `Redis ${redis.version}, ${mib(redis.usedBytes)}${redis.ok ? "" : `: ${redis.detail}`}`,
    ...section(
      ["QUEUE", "READY", "RUNNING", "DELAYED", "DEAD", "IN/S", "DONE/S", "FAILED/S", "OLDEST", "DONE IN", ""],
      queues.map(queueRow),
    ),
    ...section(
      ["POOL", "WORKERS", "REQUIRED"],
      pools.map(({ name, workers: there, required }) => [name, String(there), String(required)]),
    ),
    ...section(
      ["WORKER", "POOL", "RUNS", "OF", ""],
      workers.map((one) => [one.pod, one.pool, String(one.claimed), String(one.slots), one.order]),
    ),
    ...section(
      ["UNIT", "LEADER", "FOR"],
      units.map(({ unit, leader, heldForMs }) => [
        unit,
        leader ?? "nobody",
        heldForMs === null ? "-" : duration(heldForMs),
      ]),
    ),
    ...section(
      ["LAST ERRORS", "", "", ""],
      lastErrors.map(({ at, queue, route, message }) => [at, queue, route, message.split("\n")[0] ?? ""]),
    ),
  ];
}

function queueRow(queue: QueueNow): string[] {
  const { name, ready, claimed, delayed, dead, oldestMs, drainSeconds, paused, workers } = queue;
  const drain = drainSeconds === null ? "never" : duration(drainSeconds * 1000);
  const state = [paused ? "paused" : "", workers === 0 && ready > 0 ? "nobody serves it" : ""]
    .filter(Boolean)
    .join(", ");
  const rates = [queue.arrivalsPerSecond, queue.finishedPerSecond, queue.failedPerSecond].map((one) => one.toFixed(1));
  return [name, ...[ready, claimed, delayed, dead].map(String), ...rates, duration(oldestMs), drain, state];
}

function section(head: readonly string[], rows: readonly string[][]): string[] {
  return rows.length === 0 ? [] : ["", ...columns([head, ...rows]).split("\n")];
}

function rate(perSecond: number): string {
  return `${perSecond.toFixed(1)}/s`;
}

function mib(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}

export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} d`;
}

/** Names and errors of others must not steer a terminal. */
function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex -- That is what is taken out.
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "�");
}

function cut(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text;
}
