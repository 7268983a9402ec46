// What is worth watching: one list of figures, from which the chart's alerts and its Grafana dashboard are written.

interface Alert {
  readonly name: string;
  /** `%scope%` stands for the labels that choose the release. */
  readonly expression: string;
  readonly minutes: number;
  readonly severity: "warning" | "critical";
  readonly summary: string;
  /** A page of docs/operators/runbooks. */
  readonly runbook: string;
}

interface Figure {
  readonly title: string;
  readonly unit: "short" | "s";
  readonly query: string;
  readonly legend: string;
  readonly says: string;
  readonly alerts: readonly Alert[];
}

const SCOPE = "%scope%";

/** Every pod tells what stands in Redis, all the same: `max`, never `sum`. */
export const FIGURES: readonly Figure[] = [
  {
    title: "Oldest that waits",
    unit: "s",
    query: `max by (queue) (antiphon_queue_oldest_age_seconds{${SCOPE}})`,
    legend: "{{queue}}",
    says: "How long the first in line has waited. Alert on this.",
    alerts: [
      {
        name: "AntiphonBacklogGrows",
        expression: `max by (namespace, queue) (antiphon_queue_oldest_age_seconds{${SCOPE}}) > 300`,
        minutes: 5,
        severity: "warning",
        summary:
          "What is first in line in the queue {{ $labels.queue }} has waited for {{ $value | humanizeDuration }}.",
        runbook: "backlog-grows",
      },
    ],
  },
  {
    title: "Waiting, running, dead",
    unit: "short",
    query: `max by (queue, state) (antiphon_queue_depth{${SCOPE}})`,
    legend: "{{queue}} {{state}}",
    says: "Deliveries by queue and state.",
    alerts: [
      {
        name: "AntiphonDeadLetters",
        expression: `max by (namespace, queue) (delta(antiphon_queue_depth{state="dead",${SCOPE}}[15m])) > 0`,
        minutes: 1,
        severity: "warning",
        summary: "Deliveries of the queue {{ $labels.queue }} failed for good in the last 15 minutes.",
        runbook: "dead-letters",
      },
    ],
  },
  {
    title: "Time to drain",
    unit: "s",
    query: `max by (queue) (antiphon_queue_drain_seconds{${SCOPE}})`,
    legend: "{{queue}}",
    says: "How long the workers there are would need for what waits.",
    alerts: [],
  },
  {
    title: "Workers required",
    unit: "short",
    query: `max by (pool) (antiphon_workers_required{${SCOPE}})`,
    legend: "{{pool}}",
    says: "How many workers the work of each pool needs. Scale on this.",
    alerts: [
      {
        name: "AntiphonTooFewWorkers",
        expression:
          `max by (namespace, pool) (antiphon_workers_required{${SCOPE}})` +
          ` > max by (namespace, pool) (antiphon_workers{${SCOPE}})`,
        minutes: 15,
        severity: "warning",
        summary: "The pool {{ $labels.pool }} needs {{ $value }} workers and has had fewer for 15 minutes.",
        runbook: "backlog-grows",
      },
    ],
  },
  {
    title: "Workers",
    unit: "short",
    query: `max by (pool) (antiphon_workers{${SCOPE}})`,
    legend: "{{pool}}",
    says: "How many workers there are.",
    alerts: [
      {
        name: "AntiphonSilent",
        expression: `absent(antiphon_workers{${SCOPE}})`,
        minutes: 5,
        severity: "critical",
        summary: "Nobody tells figures: Redis is away from all pods, no pod runs, or none is scraped.",
        runbook: "redis-away",
      },
    ],
  },
  {
    title: "Pods not ready",
    unit: "short",
    query: `sum by (pod) (kube_pod_status_ready{condition="false",${SCOPE}})`,
    legend: "{{pod}}",
    says: "From kube-state-metrics, where it is installed.",
    alerts: [
      {
        name: "AntiphonPodNotReady",
        expression: `max by (namespace, pod) (kube_pod_status_ready{condition="false",${SCOPE}}) > 0`,
        minutes: 10,
        severity: "warning",
        summary: "The pod {{ $labels.pod }} has not been ready for 10 minutes.",
        runbook: "pod-not-ready",
      },
    ],
  },
];

export function alertsFile(): object {
  const rules = FIGURES.flatMap(({ alerts }) => alerts).map((alert) => ({
    alert: alert.name,
    expr: alert.expression,
    for: `${alert.minutes}m`,
    labels: { severity: alert.severity },
    annotations: { summary: alert.summary, runbook: `docs/operators/runbooks/${alert.runbook}.md` },
  }));
  return { groups: [{ name: "antiphon", rules }] };
}

const WIDTH = 12;
const HEIGHT = 8;

export function dashboardFile(): object {
  const choice = 'namespace="$namespace",pod=~"$release-(master|worker)-.+"';
  const panels = FIGURES.map((figure, index) => ({
    id: index + 1,
    type: "timeseries",
    title: figure.title,
    description: figure.says,
    datasource: { type: "prometheus", uid: "${datasource}" },
    gridPos: { h: HEIGHT, w: WIDTH, x: (index % 2) * WIDTH, y: Math.floor(index / 2) * HEIGHT },
    fieldConfig: { defaults: { unit: figure.unit, min: 0 }, overrides: [] },
    targets: [{ refId: "A", expr: figure.query.replace(SCOPE, choice), legendFormat: figure.legend }],
  }));
  return {
    uid: "antiphon",
    title: "Antiphon",
    tags: ["antiphon"],
    schemaVersion: 39,
    refresh: "30s",
    time: { from: "now-3h", to: "now" },
    templating: { list: [variable("datasource"), variable("namespace"), variable("release")] },
    panels,
  };
}

function variable(name: "datasource" | "namespace" | "release"): object {
  if (name === "datasource") return { name, type: "datasource", query: "prometheus" };
  const base = { name, type: "query", datasource: { type: "prometheus", uid: "${datasource}" }, refresh: 2 };
  if (name === "namespace") return { ...base, query: "label_values(antiphon_workers, namespace)" };
  const regex = "/^(.+?)-(?:master|worker)-.+$/";
  return { ...base, query: 'label_values(antiphon_workers{namespace="$namespace"}, pod)', regex };
}
