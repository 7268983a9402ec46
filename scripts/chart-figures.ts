// What is worth watching: one list of figures and what to alert on. The chart's alerts, its Grafana dashboard and the list of
// runbooks are written from it (chart-metrics.ts).

export interface Alert {
  readonly name: string;
  /** `%scope%` stands for the labels that choose the release. */
  readonly expression: string;
  readonly minutes: number;
  readonly severity: "warning" | "critical";
  readonly summary: string;
  /** When it fires, for the list of runbooks. */
  readonly when: string;
  /** A page of docs/operators/runbooks. */
  readonly runbook: string;
}

export interface Figure {
  readonly section: "Work" | "Runs" | "Chat" | "Bus" | "Processes";
  readonly title: string;
  readonly unit: "short" | "s" | "bytes" | "ops";
  readonly queries: readonly (readonly [query: string, legend: string])[];
  readonly says: string;
  readonly alerts?: readonly Alert[];
}

const S = "%scope%";

/** Every pod tells what stands in Redis, all the same: `max`, never `sum`. */
const WORK: readonly Figure[] = [
  {
    section: "Work",
    title: "Oldest that waits",
    unit: "s",
    queries: [[`max by (queue) (antiphon_queue_oldest_age_seconds{${S}})`, "{{queue}}"]],
    says: "How long the first in line has waited. Alert on this.",
    alerts: [
      {
        name: "AntiphonBacklogGrows",
        expression: `max by (namespace, queue) (antiphon_queue_oldest_age_seconds{${S}}) > 300`,
        minutes: 5,
        severity: "warning",
        summary:
          "What is first in line in the queue {{ $labels.queue }} has waited for {{ $value | humanizeDuration }}.",
        when: "what is first in line has waited for 5 minutes",
        runbook: "backlog-grows",
      },
    ],
  },
  {
    section: "Work",
    title: "Waiting, running, dead",
    unit: "short",
    queries: [[`max by (queue, state) (antiphon_queue_depth{${S}})`, "{{queue}} {{state}}"]],
    says: "Deliveries by queue and state.",
    alerts: [
      {
        name: "AntiphonDeadLetters",
        expression: `max by (namespace, queue) (delta(antiphon_queue_depth{state="dead",${S}}[15m])) > 0`,
        minutes: 1,
        severity: "warning",
        summary: "Deliveries of the queue {{ $labels.queue }} failed for good in the last 15 minutes.",
        when: "deliveries failed for good",
        runbook: "dead-letters",
      },
      {
        name: "AntiphonQueueUnserved",
        expression: `max by (namespace, queue) (antiphon_queue_unserved{${S}}) > 0`,
        minutes: 2,
        severity: "critical",
        summary: "Deliveries wait in the queue {{ $labels.queue }}, and no living worker serves it.",
        when: "deliveries wait in a queue that no living worker serves",
        runbook: "queue-unserved",
      },
    ],
  },
  {
    section: "Work",
    title: "Time to drain",
    unit: "s",
    queries: [[`max by (queue) (antiphon_queue_drain_seconds{${S}})`, "{{queue}}"]],
    says: "How long the workers there are would need for what waits.",
  },
  {
    section: "Work",
    title: "Arrivals, and what is refused",
    unit: "ops",
    queries: [
      [`max by (queue) (antiphon_queue_arrivals_per_second{${S}})`, "{{queue}}"],
      [
        `sum by (messaging_destination_name, error_type) (rate(messaging_client_sent_messages_total{error_type!="",${S}}[5m]))`,
        "{{messaging_destination_name}}: {{error_type}}",
      ],
    ],
    says: "Deliveries that arrive each second, and those that Redis did not take, such as where a queue is full.",
  },
  {
    section: "Work",
    title: "Workers required and there",
    unit: "short",
    queries: [
      [`max by (pool) (antiphon_workers_required{${S}})`, "{{pool}} required"],
      [`max by (pool) (antiphon_workers{${S}})`, "{{pool}}"],
    ],
    says: "How many workers the work of each pool needs, and how many there are. Scale on what is required.",
    alerts: [
      {
        name: "AntiphonTooFewWorkers",
        expression:
          `max by (namespace, pool) (antiphon_workers_required{${S}})` +
          ` > max by (namespace, pool) (antiphon_workers{${S}})`,
        minutes: 15,
        severity: "warning",
        summary: "The pool {{ $labels.pool }} needs {{ $value }} workers and has had fewer for 15 minutes.",
        when: "fewer workers than the work requires, for 15 minutes: at the maximum, or pods do not start",
        runbook: "backlog-grows",
      },
      {
        name: "AntiphonSilent",
        expression: `absent(antiphon_workers{${S}})`,
        minutes: 5,
        severity: "critical",
        summary: "Nobody tells figures: Redis is away from all pods, no pod runs, or none is scraped.",
        when: "nobody tells figures",
        runbook: "redis-away",
      },
    ],
  },
  {
    section: "Work",
    title: "Scaling",
    unit: "short",
    queries: [
      [`sum by (deployment, direction) (increase(antiphon_scale_total{${S}}[5m]))`, "{{deployment}} {{direction}}"],
    ],
    says: "What the builtin scaler decided; held: it could not do what it wanted.",
  },
];

const RUNS: readonly Figure[] = [
  {
    section: "Runs",
    title: "Runs by outcome",
    unit: "ops",
    queries: [[`sum by (outcome) (rate(antiphon_runs_total{${S}}[5m]))`, "{{outcome}}"]],
    says: "Runs that ended each second. retried: it failed and runs again; dead: it failed for good.",
  },
  {
    section: "Runs",
    title: "Failing routes",
    unit: "ops",
    queries: [
      [`topk(10, sum by (route) (rate(antiphon_runs_total{outcome=~"retried|dead",${S}}[5m]))) > 0`, "{{route}}"],
    ],
    says: "The ten routes that fail most.",
  },
  {
    section: "Runs",
    title: "How long runs take (95 of 100)",
    unit: "s",
    queries: [
      [
        `histogram_quantile(0.95, sum by (le, route) (rate(messaging_process_duration_seconds_bucket{${S}}[5m])))`,
        "{{route}}",
      ],
    ],
    says: "95 of 100 runs of each route ended within this time.",
  },
  {
    section: "Runs",
    title: "Redis answers (99 of 100)",
    unit: "s",
    queries: [
      [
        `histogram_quantile(0.99, sum by (le, messaging_operation_name) (rate(messaging_client_operation_duration_seconds_bucket{${S}}[5m])))`,
        "{{messaging_operation_name}}",
      ],
    ],
    says: "How long Redis takes to take what is sent, to give work and to take outcomes.",
  },
  {
    section: "Runs",
    title: "Slots",
    unit: "short",
    queries: [[`sum by (state) (antiphon_slots{${S}})`, "{{state}}"]],
    says: "How many deliveries run, and how many more could.",
  },
  {
    section: "Runs",
    title: "Webhooks by status",
    unit: "ops",
    queries: [[`sum by (status) (rate(antiphon_webhooks_total{${S}}[5m]))`, "{{status}}"]],
    says: "202 is taken; 503: Redis was away or the queue full, and the sender comes again.",
  },
  {
    section: "Runs",
    title: "Claims lost",
    unit: "short",
    queries: [
      [`sum by (queue) (increase(antiphon_claims_reaped_total{${S}}[5m]))`, "{{queue}} reaped"],
      [`sum by (pod) (increase(antiphon_worker_fenced_total{${S}}[5m]))`, "{{pod}} fenced"],
      [`sum by (pod) (increase(antiphon_threads_ended_total{${S}}[5m]))`, "{{pod}} thread ended"],
    ],
    says: "Workers that went silent, and handler threads that had to be ended.",
  },
];

const CHAT: readonly Figure[] = [
  {
    section: "Chat",
    title: "Who leads",
    unit: "short",
    queries: [[`antiphon_leader{${S}} == 1`, "{{unit}} {{pod}}"]],
    says: "One line for each unit: the pod that leads it.",
    alerts: [
      {
        name: "AntiphonNoLeader",
        expression: `max by (namespace, unit) (antiphon_leader{${S}}) == 0`,
        minutes: 1,
        severity: "critical",
        summary: "Nobody has led {{ $labels.unit }} for a minute.",
        when: "masters run, and none of them has led a unit for a minute",
        runbook: "no-leader",
      },
      {
        name: "AntiphonNoMaster",
        expression: `absent(antiphon_leader{${S}})`,
        minutes: 5,
        severity: "critical",
        summary: "No master runs, or none is scraped: the bot is silent in chat and schedules do not fire.",
        when: "no master tells anything",
        runbook: "no-leader",
      },
    ],
  },
  {
    section: "Chat",
    title: "Leases that move",
    unit: "short",
    queries: [
      [`sum by (unit, reason) (increase(antiphon_leader_transitions_total{${S}}[15m]))`, "{{unit}} {{reason}}"],
    ],
    says: "Leases acquired and lost in 15 minutes. A rollout moves each twice.",
    alerts: [
      {
        name: "AntiphonLeasesFlap",
        expression: `sum by (namespace, unit) (increase(antiphon_leader_transitions_total{reason="acquired",${S}}[15m])) > 5`,
        minutes: 1,
        severity: "warning",
        summary: "The Lease of {{ $labels.unit }} changed hands {{ $value | humanize }} times in 15 minutes.",
        when: "a Lease changed hands more than 5 times in 15 minutes",
        runbook: "leases-flap",
      },
    ],
  },
  {
    section: "Chat",
    title: "Renewals (99 of 100)",
    unit: "s",
    queries: [
      [`histogram_quantile(0.99, sum by (le, unit) (rate(antiphon_lease_renew_seconds_bucket{${S}}[5m])))`, "{{unit}}"],
    ],
    says: "How long Redis takes to renew a Lease.",
  },
  {
    section: "Chat",
    title: "Oldest Action that waits",
    unit: "s",
    queries: [[`max by (unit) (antiphon_outbox_oldest_age_seconds{${S}})`, "{{unit}}"]],
    says: "How long words have waited to be said in chat.",
    alerts: [
      {
        name: "AntiphonOutboxStuck",
        expression: `max by (namespace, unit) (antiphon_outbox_oldest_age_seconds{${S}}) > 120`,
        minutes: 3,
        severity: "warning",
        summary: "Words for {{ $labels.unit }} have waited for {{ $value | humanizeDuration }} to be said.",
        when: "words have waited for two minutes to be said in chat",
        runbook: "outbox-stuck",
      },
    ],
  },
  {
    section: "Chat",
    title: "Actions",
    unit: "ops",
    queries: [
      [`sum by (unit, outcome) (rate(antiphon_actions_total{${S}}[5m]))`, "{{unit}} {{outcome}}"],
      [`sum by (unit, result) (rate(antiphon_actions_in_doubt_total{${S}}[5m]))`, "{{unit}} in doubt: {{result}}"],
    ],
    says: "What was said in chat, and what failed or stayed in doubt.",
  },
  {
    section: "Chat",
    title: "Connections",
    unit: "short",
    queries: [[`max by (unit) (antiphon_gateway_ready{${S}})`, "{{unit}}"]],
    says: "1: connected and ready.",
    alerts: [
      {
        name: "AntiphonChatAway",
        expression: `max by (namespace, unit) (antiphon_gateway_ready{${S}}) == 0`,
        minutes: 5,
        severity: "critical",
        summary: "The connection of {{ $labels.unit }} to its chat service has not been ready for 5 minutes.",
        when: "a connection to a chat service has not been ready for 5 minutes",
        runbook: "outbox-stuck",
      },
    ],
  },
];

const BUS: readonly Figure[] = [
  {
    section: "Bus",
    title: "Readers",
    unit: "short",
    queries: [[`sum by (face) (antiphon_bus_streams{${S}})`, "{{face}}"]],
    says: "Who reads the bus, by how.",
  },
  {
    section: "Bus",
    title: "Lag (95 of 100)",
    unit: "s",
    queries: [
      [`histogram_quantile(0.95, sum by (le) (rate(antiphon_bus_lag_seconds_bucket{${S}}[5m])))`, "all channels"],
    ],
    says: "From when Redis stored a message until it was handed to the connections.",
  },
  {
    section: "Bus",
    title: "Gaps, closed, refused",
    unit: "short",
    queries: [
      [`sum(increase(antiphon_bus_gaps_total{${S}}[15m]))`, "gaps"],
      [`sum by (reason) (increase(antiphon_bus_closed_total{${S}}[15m]))`, "closed: {{reason}}"],
      [`sum by (limit) (increase(antiphon_bus_refused_total{${S}}[15m]))`, "refused: {{limit}}"],
    ],
    says: "Readers that missed messages, streams that ended, requests over a limit, in 15 minutes.",
    alerts: [
      {
        name: "AntiphonBusGaps",
        expression: `sum by (namespace) (increase(antiphon_bus_gaps_total{${S}}[15m])) > 20`,
        minutes: 1,
        severity: "warning",
        summary: "{{ $value | humanize }} readers of the bus missed messages in 15 minutes.",
        when: "more than 20 readers of the bus missed messages in 15 minutes",
        runbook: "bus-gaps",
      },
    ],
  },
];

const PROCESSES: readonly Figure[] = [
  {
    section: "Processes",
    title: "Redis",
    unit: "short",
    queries: [[`min by (pod, connection) (antiphon_redis_up{${S}})`, "{{pod}} {{connection}}"]],
    says: "1: the connection can be used.",
    alerts: [
      {
        name: "AntiphonRedisAway",
        expression: `min by (namespace, pod) (antiphon_redis_up{${S}}) == 0`,
        minutes: 1,
        severity: "critical",
        summary: "The pod {{ $labels.pod }} has not reached Redis for a minute.",
        when: "a pod has not reached Redis for a minute",
        runbook: "redis-away",
      },
    ],
  },
  {
    section: "Processes",
    title: "Memory",
    unit: "bytes",
    queries: [[`process_resident_memory_bytes{${S}}`, "{{pod}}"]],
    says: "Resident memory of each pod's process.",
  },
  {
    section: "Processes",
    title: "Dropped",
    unit: "short",
    queries: [
      [`sum by (route) (increase(antiphon_log_lines_dropped_total{${S}}[5m]))`, "log lines: {{route}}"],
      [`sum by (tracker) (increase(antiphon_reports_dropped_total{${S}}[5m]))`, "reports: {{tracker}}"],
      [`sum by (metric) (increase(antiphon_samples_dropped_total{${S}}[5m]))`, "samples: {{metric}}"],
    ],
    says: "What was too much of handlers' log lines and own metrics, and reports that an error tracker did not take.",
  },
  {
    section: "Processes",
    title: "Pods not ready",
    unit: "short",
    queries: [[`sum by (pod) (kube_pod_status_ready{condition="false",${S}})`, "{{pod}}"]],
    says: "From kube-state-metrics, where it is installed.",
    alerts: [
      {
        name: "AntiphonPodNotReady",
        expression: `max by (namespace, pod) (kube_pod_status_ready{condition="false",${S}}) > 0`,
        minutes: 10,
        severity: "warning",
        summary: "The pod {{ $labels.pod }} has not been ready for 10 minutes.",
        when: "a pod is not ready for 10 minutes",
        runbook: "pod-not-ready",
      },
    ],
  },
];

export const FIGURES: readonly Figure[] = [...WORK, ...RUNS, ...CHAT, ...BUS, ...PROCESSES];
