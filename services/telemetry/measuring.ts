// Events -> metrics. Whoever adds an event that somebody may alert on adds its line here.

import type { Emit, EventFields, EventName } from "./events.ts";
import { Meter } from "./meter.ts";

type Rules = { readonly [N in EventName]?: (meter: Meter, fields: EventFields[N]) => void };

/** Of whoever was given a meter together with an `emit` that counts in it, or needs both. */
export function measured({ emit, meter }: { emit: Emit; meter?: Meter }): { emit: Emit; meter: Meter } {
  if (meter !== undefined) return { emit, meter };
  const own = new Meter();
  return { emit: measuring(emit, own), meter: own };
}

/** An `Emit` that counts what it passes on. */
export function measuring(emit: Emit, meter: Meter): Emit {
  return (name, fields) => {
    const count = RULES[name] as ((meter: Meter, fields: unknown) => void) | undefined;
    count?.(meter, fields);
    emit(name, fields);
  };
}

const RULES: Rules = {
  "run.ended": (meter, { queue, route, outcome, ms }) => {
    meter.count("antiphon_runs_total", [queue, route, outcome]);
    meter.observe("messaging_process_duration_seconds", [queue, route], ms / 1000);
  },
  "run.dead": (meter, { queue, route }) => meter.count("antiphon_dead_letters_total", [queue, route]),
  "run.refused": (meter, { route }) => meter.count("antiphon_runs_refused_total", [route]),
  "claims.taken": (meter, { queue, deliveries }) =>
    meter.count("messaging_client_consumed_messages_total", [queue], deliveries),
  "deliveries.sent": (meter, { queue, deliveries, error }) =>
    meter.count("messaging_client_sent_messages_total", [queue, error], deliveries),
  "queue.asked": (meter, { queue, operation, ms }) =>
    meter.observe("messaging_client_operation_duration_seconds", [queue, operation], ms / 1000),
  "claims.reaped": (meter, { queue, deliveries }) => meter.count("antiphon_claims_reaped_total", [queue], deliveries),
  "worker.fenced": (meter, { queue }) => meter.count("antiphon_worker_fenced_total", [queue]),
  "thread.ended": (meter) => meter.count("antiphon_threads_ended_total"),
  "quarantine.started": (meter) => meter.count("antiphon_quarantines_total"),
  "webhook.answered": (meter, { route, status }) => meter.count("antiphon_webhooks_total", [route, String(status)]),
  "http.refused": (meter, { status, code }) => meter.count("antiphon_http_refused_total", [String(status), code]),
  "http.failed": (meter) => meter.count("antiphon_http_failed_total"),
  "leader.stands": (meter, { unit }) => {
    meter.set("antiphon_leader", [unit], 0);
    meter.set("antiphon_leader_epoch", [unit], 0);
    meter.count("antiphon_fenced_writes_total", [unit], 0);
  },
  "leader.acquired": (meter, { unit, epoch }) => {
    meter.set("antiphon_leader", [unit], 1);
    meter.set("antiphon_leader_epoch", [unit], Number(epoch));
    meter.count("antiphon_leader_transitions_total", [unit, "acquired"]);
  },
  "leader.seen": (meter, { unit, epoch }) => meter.set("antiphon_leader_epoch", [unit], Number(epoch)),
  "leader.lost": (meter, { unit, reason }) => {
    meter.set("antiphon_leader", [unit], 0);
    meter.count("antiphon_leader_transitions_total", [unit, reason]);
  },
  "lease.renewed": (meter, { unit, ms }) => meter.observe("antiphon_lease_renew_seconds", [unit], ms / 1000),
  "write.fenced": (meter, { unit }) => meter.count("antiphon_fenced_writes_total", [unit]),
  "adapter.state": (meter, { unit, state }) => meter.set("antiphon_gateway_ready", [unit], Number(state === "ready")),
  "adapter.closed": (meter, { unit }) => meter.set("antiphon_gateway_ready", [unit], 0),
  "adapter.gap": (meter, { unit, fromMs, toMs, repaired }) => {
    meter.count("antiphon_gateway_gaps_total", [unit, repaired ? "yes" : "no"]);
    if (fromMs !== undefined) meter.observe("antiphon_gateway_gap_seconds", [unit], Math.max(0, toMs - fromMs) / 1000);
  },
  "action.done": (meter, { unit }) => meter.count("antiphon_actions_total", [unit, "done"]),
  "action.failed": (meter, { unit, kind }) => meter.count("antiphon_actions_total", [unit, kind]),
  "action.expired": (meter, { unit }) => meter.count("antiphon_actions_total", [unit, "expired"]),
  "action.in-doubt": (meter, { unit, result }) => meter.count("antiphon_actions_in_doubt_total", [unit, result]),
  "cron.fired": (meter, { route }) => meter.count("antiphon_cron_fired_total", [route]),
  "cron.missed": (meter, { route, slots }) => meter.count("antiphon_cron_missed_total", [route], slots),
  "scale.up": (meter, { deployment, to }) => scaled(meter, { deployment, direction: "up", to }),
  "scale.down": (meter, { deployment, to }) => scaled(meter, { deployment, direction: "down", to }),
  "scale.held": (meter, { deployment }) => meter.count("antiphon_scale_total", [deployment, "held"]),
  "redis.state": (meter, { connection, state }) => {
    meter.set("antiphon_redis_up", [connection], Number(state === "ready"));
    if (state === "away") meter.count("antiphon_redis_outages_total", [connection]);
  },
  "process.stopping": (meter) => meter.set("antiphon_draining", [], 1),
  "worker.drained": (meter, { returned, ms }) => {
    meter.set("antiphon_drain_seconds", [], ms / 1000);
    meter.set("antiphon_drain_returned", [], returned);
  },
  "loop.failed": (meter, { loop }) => meter.count("antiphon_loop_failures_total", [loop]),
  "part.failed": (meter) => meter.count("antiphon_part_failures_total"),
  "metric.told": (meter, { name, row, values, value }) => {
    if (!meter.declare(name, row)) meter.count("antiphon_samples_dropped_total", [name]);
    else if (row.type === "counter") meter.count(name, values, value);
    else if (row.type === "gauge") meter.set(name, values, value);
    else meter.observe(name, values, value);
  },
  "log.dropped": (meter, { route, lines }) => meter.count("antiphon_log_lines_dropped_total", [route], lines),
  "traces.dropped": (meter, { spans }) => meter.count("antiphon_spans_dropped_total", [], spans),
  "report.dropped": (meter, { tracker }) => meter.count("antiphon_reports_dropped_total", [tracker]),
};

function scaled(meter: Meter, what: { deployment: string; direction: "up" | "down"; to: number }): void {
  meter.count("antiphon_scale_total", [what.deployment, what.direction]);
  meter.set("antiphon_scale_replicas", [what.deployment], what.to);
}
