// Every metric of the list is fed, what feeds it is in the list, and labels are never made of what users say.

import { expect, test } from "vitest";
import { LAG_MS } from "../../../services/bus/lag.ts";
import { LEVELS } from "../../../services/telemetry/events.ts";
import type { Emit, EventFields, EventName } from "../../../services/telemetry/events.ts";
import { measuring } from "../../../services/telemetry/measuring.ts";
import { Meter } from "../../../services/telemetry/meter.ts";
import { METRIC_GROUPS, METRICS, type MetricRow, PREFIX } from "../../../services/telemetry/metrics.ts";

/** One of each that is counted, as parts tell them. */
const EVENTS: { readonly [N in EventName]?: EventFields[N] } = {
  "run.ended": { route: "shop.sell", queue: "default", outcome: "done", ms: 12 },
  "run.dead": { route: "shop.sell", queue: "default", origin: "USER", reason: "USER" },
  "run.refused": { route: "shop.sell", user: "USER" },
  "claims.taken": { queue: "default", deliveries: 4 },
  "deliveries.sent": { queue: "default", deliveries: 4, error: "QUEUE_FULL" },
  "queue.asked": { queue: "default", operation: "receive", ms: 2 },
  "claims.reaped": { queue: "default", from: "wid", deliveries: 3 },
  "worker.fenced": { queue: "default", wid: "wid" },
  "thread.ended": { thread: 1, reason: "USER", deliveries: 1 },
  "quarantine.started": { id: "1" },
  "webhook.answered": { route: "shop.hook", status: 202 },
  "http.refused": { status: 404, code: "NOT_FOUND", path: "/USER" },
  "http.failed": { path: "/USER", error: new Error("USER") },
  "leader.stands": { unit: "irc" },
  "leader.acquired": { unit: "irc", epoch: "7" },
  "leader.seen": { unit: "irc", epoch: "8" },
  "leader.lost": { unit: "irc", reason: "silence" },
  "lease.renewed": { unit: "irc", ms: 3 },
  "write.fenced": { unit: "irc" },
  "adapter.state": { unit: "irc", state: "ready", detail: "USER" },
  "adapter.closed": { unit: "irc" },
  "adapter.gap": { unit: "irc", reason: "USER", fromMs: 1_000, toMs: 5_000, repaired: false },
  "action.done": { unit: "irc" },
  "action.failed": { unit: "irc", action: "USER", kind: "transient", error: "USER" },
  "action.expired": { unit: "irc", action: "USER", afterMs: 1 },
  "action.in-doubt": { unit: "irc", action: "USER", result: "dropped" },
  "cron.fired": { route: "shop.daily", slot: 1 },
  "cron.missed": { route: "shop.daily", slots: 2 },
  "scale.up": { deployment: "worker", from: 1, to: 2, required: 2 },
  "scale.down": { deployment: "worker", from: 2, to: 1, required: 1, idle: 1, busy: 0 },
  "scale.held": { deployment: "worker", why: "USER" },
  "redis.state": { connection: "commands", state: "away", detail: "USER" },
  "process.stopping": { signal: "SIGTERM" },
  "worker.drained": { returned: 2, ms: 1_500 },
  "loop.failed": { loop: "reaper", error: new Error("USER") },
  "part.failed": { part: "http", error: new Error("USER") },
  "log.dropped": { route: "shop.sell", lines: 9_000 },
  "report.dropped": { tracker: "sentry.example" },
  "traces.dropped": { to: "collector.example", spans: 3, problem: "it answered 400" },
};
/** Looked at when somebody scrapes; test/integration/metrics.test.ts sees them there. */
const LOOKED_AT = /^antiphon_(info|slots|bus_|samples_dropped)/;

function told(): Meter {
  const meter = new Meter();
  const emit: Emit = measuring(() => {}, meter);
  for (const [name, fields] of Object.entries(EVENTS)) emit(name as EventName, fields as never);
  return meter;
}

test("every metric that is no figure of Redis is fed by an event, or looked at when somebody scrapes", () => {
  const [, ...groups] = Object.values(METRIC_GROUPS);
  const names = groups.flatMap((group) => Object.keys(group)).filter((name) => !LOOKED_AT.test(name));
  const fed = told().families.map(({ name }) => name);
  expect(names.filter((name) => !fed.includes(name))).toEqual([]);
  expect(fed.filter((name) => !Object.hasOwn(METRICS, name))).toEqual([]);
});

test("each series has a value for each label of its row, and none of them is what a user said", () => {
  for (const { row, series } of told().families) {
    for (const { values } of series.values()) {
      expect(values).toHaveLength(row.labels.length);
      expect(values.join()).not.toContain("USER");
    }
  }
});

test("names are as Prometheus wants them: our prefix, counters end in _total, durations are seconds", () => {
  for (const [name, { type, help }] of Object.entries<MetricRow>(METRICS)) {
    expect(name.startsWith(PREFIX) || name.startsWith("messaging_")).toBe(true);
    expect(name.endsWith("_total")).toBe(type === "counter");
    if (type === "histogram") expect(name).toMatch(/_seconds$/);
    expect(help).toMatch(/\.$/);
  }
});

test("lag has the buckets that the bus counts", () => {
  expect(METRICS.antiphon_bus_lag_seconds.buckets).toEqual(LAG_MS.map((ms) => ms / 1000));
});

test("what is told of every run and request is counted and never logged", () => {
  for (const name of [
    "run.ended",
    "claims.taken",
    "deliveries.sent",
    "queue.asked",
    "webhook.answered",
    "action.done",
    "metric.told",
    "report.dropped",
  ])
    expect(Object.hasOwn(LEVELS, name)).toBe(false);
});
