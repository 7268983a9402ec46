// The one list of metrics: what /metrics tells, what the operators' page, the alerts and the dashboard are made of.
//
// Figures of queues come from Redis, so every pod tells the same ones: aggregate them with max, never with sum. All others are
// of one process: add them up.

/** Of Prometheus' names; authors' own metrics bear it too. */
export const PREFIX = "antiphon_";

export interface MetricRow {
  readonly type: "gauge" | "counter" | "histogram";
  readonly labels: readonly string[];
  /** One sentence for an operator. */
  readonly help: string;
  /** Upper bounds of a histogram; for durations in seconds where left out. */
  readonly buckets?: readonly number[];
}

/** Told alike by every pod: as Redis has it at the moment of the scrape. */
const SHARED = {
  antiphon_queue_depth: {
    type: "gauge",
    labels: ["queue", "state"],
    help: "Deliveries in a queue; state is ready, claimed, delayed or dead.",
  },
  antiphon_queue_oldest_age_seconds: {
    type: "gauge",
    labels: ["queue"],
    help: "For how long the oldest delivery that is next in line has been ready. Alert on this.",
  },
  antiphon_queue_drain_seconds: {
    type: "gauge",
    labels: ["queue"],
    help: "Until what waits and runs is done by the workers that there are; +Inf when there are none.",
  },
  antiphon_queue_unserved: {
    type: "gauge",
    labels: ["queue"],
    help: "1 where deliveries wait and no living worker serves the queue. Alert on this.",
  },
  antiphon_queue_arrivals_per_second: {
    type: "gauge",
    labels: ["queue"],
    help: "Deliveries that arrived, over the last half minute.",
  },
  antiphon_outbox_depth: {
    type: "gauge",
    labels: ["unit", "state"],
    help: "Actions that wait to be said in chat, by unit; state is ready, claimed, delayed or dead.",
  },
  antiphon_outbox_oldest_age_seconds: {
    type: "gauge",
    labels: ["unit"],
    help: "For how long the oldest Action that is next in line has been ready. Alert on this.",
  },
  antiphon_workers_required: {
    type: "gauge",
    labels: ["pool"],
    help: "Workers that a pool should have for the work there is. Scale on this.",
  },
  antiphon_workers: {
    type: "gauge",
    labels: ["pool"],
    help: "Workers of a pool that live.",
  },
  antiphon_queues_left_out: {
    type: "gauge",
    labels: [],
    help: "Queues and outboxes of which nothing is told here, because there are more than 200.",
  },
} as const satisfies Record<string, MetricRow>;

/** Of one answer of Redis. */
const ANSWER_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** What runs did, told by the worker that ran them. */
const RUNS = {
  antiphon_runs_total: {
    type: "counter",
    labels: ["queue", "route", "outcome"],
    help: "Runs that ended: done, discarded, cancelled, retried (failed, and runs again), dead (failed for good), interrupted or lost.",
  },
  messaging_process_duration_seconds: {
    type: "histogram",
    labels: ["messaging_destination_name", "route"],
    help: "How long runs took, by queue and route.",
  },
  messaging_client_consumed_messages_total: {
    type: "counter",
    labels: ["messaging_destination_name"],
    help: "Deliveries that this worker took, by queue; one that was put back and taken again counts again.",
  },
  antiphon_dead_letters_total: {
    type: "counter",
    labels: ["queue", "route"],
    help: "Deliveries that became dead letters.",
  },
  antiphon_runs_refused_total: {
    type: "counter",
    labels: ["route"],
    help: "Runs that did not begin because who asked may not.",
  },
  antiphon_claims_reaped_total: {
    type: "counter",
    labels: ["queue"],
    help: "Deliveries taken back from workers that went silent.",
  },
  antiphon_worker_fenced_total: {
    type: "counter",
    labels: ["queue"],
    help: "Times that this worker's claims were lost because it had been silent for too long.",
  },
  antiphon_threads_ended_total: {
    type: "counter",
    labels: [],
    help: "Handler threads that ended although nobody stopped them: out of time, out of memory, or crashed.",
  },
  antiphon_quarantines_total: {
    type: "counter",
    labels: [],
    help: "Deliveries that ran alone in a child process because they may have ended a process before.",
  },
  antiphon_slots: {
    type: "gauge",
    labels: ["state"],
    help: "Slots of this worker; state is busy or free.",
  },
  antiphon_webhooks_total: {
    type: "counter",
    labels: ["route", "status"],
    help: "Webhooks answered by this worker, by status: 202 is taken.",
  },
  antiphon_http_refused_total: {
    type: "counter",
    labels: ["status", "code"],
    help: "Requests of any kind that were refused, by status and error code.",
  },
  antiphon_http_failed_total: {
    type: "counter",
    labels: [],
    help: "Requests that ended with status 500: our fault, and in the log.",
  },
} as const satisfies Record<string, MetricRow>;

const GAP_BUCKETS = [1, 5, 15, 30, 60, 300, 900, 3600, 21_600, 86_400];

/** What masters do, told by the one that does it. */
const LEADING = {
  antiphon_leader: {
    type: "gauge",
    labels: ["unit"],
    help: "1 where this pod leads the unit, 0 where it stands by.",
  },
  antiphon_leader_epoch: {
    type: "gauge",
    labels: ["unit"],
    help: "The epoch that this pod holds, or saw another hold last; 0 before it knows of any.",
  },
  antiphon_lease_renew_seconds: {
    type: "histogram",
    labels: ["unit"],
    help: "How long renewals of a Lease took.",
    buckets: ANSWER_BUCKETS,
  },
  antiphon_leader_transitions_total: {
    type: "counter",
    labels: ["unit", "reason"],
    help: "Leases acquired and lost here; reason is acquired, released, yielded, lost, silence or unfit.",
  },
  antiphon_fenced_writes_total: {
    type: "counter",
    labels: ["unit"],
    help: "Writes that Redis refused because another epoch leads the unit.",
  },
  antiphon_gateway_gap_seconds: {
    type: "histogram",
    labels: ["unit"],
    help: "How long a connection to chat heard nothing: last event before, first event after.",
    buckets: GAP_BUCKETS,
  },
  antiphon_gateway_gaps_total: {
    type: "counter",
    labels: ["unit", "repaired"],
    help: "Gaps of a connection to chat; repaired is yes where what was said meanwhile was fetched.",
  },
  antiphon_gateway_ready: {
    type: "gauge",
    labels: ["unit"],
    help: "1 while the connection of a unit to its chat service is ready, in the pod that holds it.",
  },
  antiphon_actions_total: {
    type: "counter",
    labels: ["unit", "outcome"],
    help: "Attempts to say Actions in chat: done, or the kind of failure; dead and expired are not tried again.",
  },
  antiphon_actions_in_doubt_total: {
    type: "counter",
    labels: ["unit", "result"],
    help: "Actions whose send may have happened before a kill, by what was decided: found, absent, said again, dropped, expired, or repeated under its key.",
  },
  antiphon_cron_fired_total: {
    type: "counter",
    labels: ["route"],
    help: "Schedules fired by this master.",
  },
  antiphon_cron_missed_total: {
    type: "counter",
    labels: ["route"],
    help: "Times of schedules at which nothing was enqueued.",
  },
  antiphon_scale_total: {
    type: "counter",
    labels: ["deployment", "direction"],
    help: "Decisions of the builtin scaler; direction is up, down, or held where it could not do what it wanted.",
  },
  antiphon_scale_replicas: {
    type: "gauge",
    labels: ["deployment"],
    help: "Replicas that the builtin scaler asked for last.",
  },
} as const satisfies Record<string, MetricRow>;

/** As the bus counts them. */
const LAG_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** The message bus, told by the worker whose connections they are. */
const BUS = {
  antiphon_bus_streams: {
    type: "gauge",
    labels: ["face"],
    help: "Readers of the bus at this worker, by how they read: stream, poll, sse, json, websocket, page, inside.",
  },
  antiphon_bus_channels: {
    type: "gauge",
    labels: [],
    help: "Channels that somebody reads at this worker.",
  },
  antiphon_bus_waiting: {
    type: "gauge",
    labels: [],
    help: "Messages published at this worker and not stored yet: they wait for Redis.",
  },
  antiphon_bus_published_total: {
    type: "counter",
    labels: [],
    help: "Messages published through this worker's HTTP thread.",
  },
  antiphon_bus_gaps_total: {
    type: "counter",
    labels: [],
    help: "Readers that were told that they missed messages, because the backlog did not have them any more.",
  },
  antiphon_bus_closed_total: {
    type: "counter",
    labels: ["reason"],
    help: "Streams that ended: ended, slow, revoked or left.",
  },
  antiphon_bus_refused_total: {
    type: "counter",
    labels: ["limit"],
    help: "Requests to the bus that a limit refused.",
  },
  antiphon_bus_lag_seconds: {
    type: "histogram",
    labels: [],
    help: "From when Redis stored messages until they were handed to this worker's connections.",
    buckets: LAG_BUCKETS,
  },
} as const satisfies Record<string, MetricRow>;

/** Any process. */
const PROCESS = {
  antiphon_info: {
    type: "gauge",
    labels: ["mode", "version"],
    help: "Always 1; which mode and version this process is.",
  },
  messaging_client_sent_messages_total: {
    type: "counter",
    labels: ["messaging_destination_name", "error_type"],
    help: "Deliveries and Actions that this process sent to a queue or outbox, at each try; error_type is empty where Redis took them, else the error's code.",
  },
  messaging_client_operation_duration_seconds: {
    type: "histogram",
    labels: ["messaging_destination_name", "messaging_operation_name"],
    help: "How long Redis took to answer; the operation is send, receive or settle, each of many deliveries at once.",
    buckets: ANSWER_BUCKETS,
  },
  antiphon_redis_up: {
    type: "gauge",
    labels: ["connection"],
    help: "1 while this connection to Redis can be used.",
  },
  antiphon_redis_outages_total: {
    type: "counter",
    labels: ["connection"],
    help: "Times that this connection to Redis was lost.",
  },
  antiphon_draining: {
    type: "gauge",
    labels: [],
    help: "1 from the signal to stop until the end.",
  },
  antiphon_drain_seconds: {
    type: "gauge",
    labels: [],
    help: "How long the drain took; there once it is over.",
  },
  antiphon_drain_returned: {
    type: "gauge",
    labels: [],
    help: "Deliveries that the drain handed back to the queues; there once it is over.",
  },
  antiphon_loop_failures_total: {
    type: "counter",
    labels: ["loop"],
    help: "Rounds of a background loop that failed and are tried again.",
  },
  antiphon_part_failures_total: {
    type: "counter",
    labels: [],
    help: "Failures of parts of this process; the log names them.",
  },
  antiphon_log_lines_dropped_total: {
    type: "counter",
    labels: ["route"],
    help: "Lines of ctx.log that were not written because a route logged too many.",
  },
  antiphon_spans_dropped_total: {
    type: "counter",
    labels: [],
    help: "Spans that the collector of traces did not take, or that did not fit into the queue for it; told once a minute.",
  },
  antiphon_reports_dropped_total: {
    type: "counter",
    labels: ["tracker"],
    help: "Error reports that a tracker did not get.",
  },
  antiphon_samples_dropped_total: {
    type: "counter",
    labels: ["metric"],
    help: "Values of handlers' own metrics that were not kept, because the metric has too many series or two types.",
  },
} as const satisfies Record<string, MetricRow>;

export const METRICS = { ...SHARED, ...RUNS, ...LEADING, ...BUS, ...PROCESS } as const satisfies Record<
  string,
  MetricRow
>;

export type MetricName = keyof typeof METRICS;

/** As the page lists them. */
export const METRIC_GROUPS: Readonly<Record<string, Readonly<Record<string, MetricRow>>>> = {
  "Work and workers, from Redis (`max`)": SHARED,
  "What this worker ran (`sum`)": RUNS,
  "What this master does (`sum`)": LEADING,
  "The bus at this worker (`sum`)": BUS,
  "Any process (`sum`)": PROCESS,
};
