// Everything that can happen, as one typed list. Parts emit events; logs, metrics and traces are derived from them.

import type { MetricRow } from "./metrics.ts";

export type Level = "debug" | "info" | "warn" | "error";

/** Where traces are made: which span it belongs to. Named as log readers know them. */
interface InTrace {
  trace_id?: string;
  span_id?: string;
}

/** A failed attempt of one route. */
interface RunFailed extends InTrace {
  route: string;
  origin: string;
  kind?: string;
  queue: string;
  /** Of the ordering key, which may name a person. */
  keyHash?: string;
  attempt: number;
  errorId: string;
  error: unknown;
  next: string;
}

/** retried: it failed and runs again; dead: it failed for good. */
export type RunEnd = "done" | "discarded" | "cancelled" | "retried" | "dead" | "interrupted" | "lost";

/** What each event carries. Add a row here before a part can emit it. */
export interface EventFields {
  "process.started": { mode: string; pid: number; urls?: string };
  "process.stopping": { signal: string };
  "process.stopped": { mode: string };
  "part.failed": { part: string; error: unknown };
  "redis.state": { connection: string; state: "connecting" | "ready" | "away" | "unfit"; detail?: string };
  "loop.failed": { loop: string; error: unknown };
  "handlers.loaded": { handlers: number; routes: number };
  "route.unsigned": { route: string };
  "worker.registered": { queue: string; wid: string };
  "worker.fenced": { queue: string; wid: string };
  "worker.drained": { returned: number; ms: number };
  "worker.ordered": { order: string };
  "queues.full": { queue: string; most: number };
  "claims.taken": { queue: string; deliveries: number };
  /** At each try; `error` is "" where Redis took them. */
  "deliveries.sent": { queue: string; deliveries: number; error: string };
  /** Redis answered. */
  "queue.asked": { queue: string; operation: "send" | "receive" | "settle"; ms: number };
  "claims.reaped": { queue: string; from: string; deliveries: number };
  "claims.resynced": { queue: string; deliveries: number };
  "run.failed": RunFailed;
  "run.refused": InTrace & { route: string; user: string };
  "run.dead": InTrace & { route: string; queue: string; origin: string; reason: string };
  /** Of every run of a route, whatever came of it. */
  "run.ended": { route: string; queue: string; outcome: RunEnd; ms: number };
  "run.interrupted": InTrace & { route: string; origin: string };
  "run.expired": InTrace & { route: string; origin: string };
  "run.cancelled": InTrace & { route: string; origin: string };
  "body.lost": { queue: string; id: string };
  "envelope.unread": { queue: string; id: string; version: number };
  "retry.exhausted": { route: string; origin: string; attempt: number; everyMs: number };
  "retry.unfit": { route: string; origin: string; error: unknown };
  "run.timeout": { route: string; origin: string; afterMs: number };
  "thread.ended": { thread: number; reason: string; deliveries: number };
  "thread.started": { thread: number; kind: string };
  "thread.recycled": { thread: number; kind: string; reason: string };
  "quarantine.started": { id: string };
  "quarantine.ended": { id: string; outcome: string };
  "settle.retry": { queue: string; error: unknown };
  "http.refused": { status: number; code: string; path: string };
  "http.failed": { path: string; error: unknown };
  "webhook.answered": { route: string; status: number };
  /** It stands for election. */
  "leader.stands": { unit: string };
  "leader.acquired": { unit: string; epoch: string };
  /** By one that stands by: another leads under a new epoch. */
  "leader.seen": { unit: string; epoch: string };
  "leader.lost": { unit: string; reason: string };
  "lease.renewed": { unit: string; ms: number };
  /** A master hands a unit over because it leads more than its share. */
  "lease.yielding": { unit: string; leads: number; masters: number };
  "admin.login-failed": { from: string; tries: number };
  "admin.tokens-unread": { file: string; problem: string };
  "admin.audit-unclosed": { action: string; error: unknown };
  "adapter.state": { unit: string; state: string; detail?: string };
  /** By us: its unit is handed over, or the process stops. */
  "adapter.closed": { unit: string };
  "adapter.gap": { unit: string; reason: string; fromMs?: number; toMs: number; repaired: boolean };
  /** Redis refused to write what a former leader did. */
  "write.fenced": { unit: string };
  "action.done": { unit: string };
  "action.failed": { unit: string; action: string; kind: string; error: string };
  "action.in-doubt": { unit: string; action: string; result: string };
  "action.expired": { unit: string; action: string; afterMs: number };
  "dead.trimmed": { queue: string; letters: number };
  "queue.unreadable": { queue: string; elements: number };
  "queue.unserved": { queue: string; waiting: number };
  "scale.up": { deployment: string; from: number; to: number; required: number };
  /** `idle` and `busy`: of those that were chosen, which had nothing in hand, and which did for too long. */
  "scale.down": { deployment: string; from: number; to: number; required: number; idle: number; busy: number };
  "scale.held": { deployment: string; why: string };
  "kubernetes.failed": { error: unknown };
  "cron.fired": { route: string; slot: number };
  "cron.missed": { route: string; slots: number };
  "cron.overlapped": { route: string; slot: number };
  "cron.invalid": { route: string; problem: string };
  /** One report; `tracker.dropped` says it now and then to people. */
  "report.dropped": { tracker: string };
  /** Of a handler's own metric: its name and row, labels' values in the row's order, what was counted or observed. */
  "metric.told": { name: string; row: MetricRow; values: readonly string[]; value: number };
  "log.dropped": { route: string; lines: number };
  "tracker.dropped": { tracker: string; reports: number; problem: string };
  "traces.dropped": { to: string; spans: number; problem: string };
  "bus.closed": { channel: string; reason: string };
  "bus.listener-failed": { channel: string; error: unknown };
  "dev.child-ended": { process: string; how: string; againInMs: number };
  "dev.reload": { files: string };
  "dev.reload-failed": { files: string; problems: readonly string[] };
  log: InTrace & {
    level: Level;
    text: string;
    route?: string;
    origin?: string;
    fields?: Readonly<Record<string, unknown>>;
  };
}

export type EventName = keyof EventFields;

/** How parts tell what happened. Never throws, never blocks. */
export type Emit = <N extends EventName>(name: N, fields: EventFields[N]) => void;

/** Counted and traced, and never logged: one comes with each run or request. */
export type SilentName =
  | "claims.taken"
  | "deliveries.sent"
  | "queue.asked"
  | "run.ended"
  | "webhook.answered"
  | "action.done"
  | "report.dropped"
  | "metric.told";

export const LEVELS: Readonly<Record<Exclude<EventName, "log" | SilentName>, Level>> = {
  "process.started": "info",
  "process.stopping": "info",
  "process.stopped": "info",
  "part.failed": "error",
  "redis.state": "info",
  "loop.failed": "warn",
  "handlers.loaded": "info",
  "route.unsigned": "warn",
  "worker.registered": "debug",
  "worker.fenced": "warn",
  "worker.drained": "info",
  "worker.ordered": "info",
  "queues.full": "warn",
  "claims.reaped": "warn",
  "claims.resynced": "warn",
  "run.failed": "error",
  "run.refused": "warn",
  "run.dead": "error",
  "run.interrupted": "info",
  "run.expired": "info",
  "run.cancelled": "info",
  "body.lost": "error",
  "envelope.unread": "warn",
  "retry.exhausted": "warn",
  "retry.unfit": "warn",
  "run.timeout": "warn",
  "thread.ended": "warn",
  "thread.started": "debug",
  "thread.recycled": "info",
  "quarantine.started": "warn",
  "quarantine.ended": "warn",
  "settle.retry": "warn",
  "http.refused": "debug",
  "http.failed": "error",
  "leader.stands": "debug",
  "leader.acquired": "info",
  "leader.seen": "debug",
  "leader.lost": "warn",
  "lease.renewed": "debug",
  "lease.yielding": "info",
  "admin.login-failed": "warn",
  "admin.tokens-unread": "error",
  "admin.audit-unclosed": "error",
  "adapter.state": "info",
  "adapter.closed": "debug",
  "adapter.gap": "warn",
  "write.fenced": "warn",
  "action.failed": "warn",
  "action.in-doubt": "warn",
  "action.expired": "warn",
  "dead.trimmed": "warn",
  "queue.unreadable": "error",
  "queue.unserved": "warn",
  "scale.up": "info",
  "scale.down": "info",
  "scale.held": "warn",
  "kubernetes.failed": "warn",
  "cron.fired": "debug",
  "cron.missed": "warn",
  "cron.overlapped": "info",
  "cron.invalid": "warn",
  "log.dropped": "warn",
  "tracker.dropped": "warn",
  "traces.dropped": "warn",
  "bus.closed": "debug",
  "bus.listener-failed": "error",
  "dev.child-ended": "warn",
  "dev.reload": "info",
  "dev.reload-failed": "error",
};
