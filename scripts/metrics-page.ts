// Writes docs/operators/metrics.md from the one list of metrics: `node scripts/metrics-page.ts`. A test compares.

import { writeFileSync } from "node:fs";
import { METRIC_GROUPS, type MetricRow } from "../services/telemetry/metrics.ts";
import { LABEL_VALUES_MAX, SERIES_MAX } from "../services/telemetry/meter.ts";
import { ALERTS } from "./chart-metrics.ts";

const INTRODUCTION = `<!-- Written by scripts/metrics-page.ts from services/telemetry/metrics.ts. -->

# Metrics and scaling figures

Masters and workers serve both on their admin port (\`ANTIPHON_ADMIN_PORT\`, 9090), without a token:

| path | for | |
|---|---|---|
| \`/metrics\` | Prometheus | text 0.0.4 |
| \`/scale\`, \`/scale?pool=NAME\` | autoscalers | JSON: how many workers the work needs |

- **Figures of queues, outboxes and pools come from Redis**, so every pod tells the same ones: aggregate them with \`max\`, never with \`sum\`. Redis
  is asked at most once a second by each pod, whoever scrapes, and that costs the same however much is in the queues.
- **All others are of one process**, since it began: \`sum\` them. In a worker main, the HTTP thread and all handler threads count for themselves and
  tell it at most once a second, so a scrape may be a second behind. Nothing is told where nothing was counted.
- **Labels are bounded.** They name routes, queues, units: what is written in code and configuration, never what a user said. Of each label the first
  ${LABEL_VALUES_MAX} values are told, of each metric ${SERIES_MAX} series; the rest is \`other\`.
- A scrape adds \`pod\` and \`namespace\`. Handlers' own metrics (\`antiphon_handler_…\`): [observability](../authors/observability.md).

The chart brings a ServiceMonitor or PodMonitor, alerts (\`prometheusRule.enabled\`), each with its [runbook](runbooks/README.md), and a Grafana
dashboard (\`grafanaDashboard.enabled\`), made from the same list.
`;

const rest = (): string => `## What Node says

Beside them come what Node and the process say of themselves: \`process_*\` of the whole process, \`nodejs_*\` (heap, event loop, garbage) of the
thread that serves the admin port: in a worker the HTTP thread, not those that run handlers. While Redis is away \`/metrics\` answers without
the figures that come from there: an old one would be a wrong one.

## What to alert on

In a file of rules of your own leave out what chooses the release, or put your labels in its place.

\`\`\`yaml
${rules()}
\`\`\`

What each costs: an increment of a number in memory for each run, one message a second between threads while there is work, and nothing while
there is none. Prometheus' client is loaded at the first scrape.

## How many workers are required

\`\`\`
n = ceil( Σ over the pool's queues of (λ·s̄ + B·s̄ / 10 s) · a / (c · 0.8) )      at least 1
\`\`\`

| | |
|---|---|
| λ | deliveries that arrive per second, over the last half minute |
| s̄ | how long a delivery holds its slot; of those that run, at least as long as they have |
| B | deliveries that wait, are due or run: drained in 10 s |
| c | deliveries that one worker really runs at once: its slots; of runs that compute, as many as keep its threads busy |
| a | 1; up to 2 while what is next in line has been ready for longer than 30 s |

With its beat, once a second, each worker tells what it finished, how long that took, and how busy its threads were. No delivery pays for it.

- Messages have slots of their own: the pool gets as many workers as its chat, or as all its other work, needs, whichever is more.
- A queue's work counts for the pools that name it in \`ANTIPHON_QUEUES\`; what no pool names counts for those with \`*\`. Pools that name the
  same queue share its work. \`ANTIPHON_POOL\` tells a worker which pool it belongs to.
- Where deliveries stand behind others of their ordering key, no more slots are asked for than there are keys to be run; of a paused queue
  only what runs is counted; a queue's own limits of rate and concurrency are heeded. Limits of single routes are not.
- Of a queue that nobody has run yet, 100 ms are assumed until the first beat says more.
- A pool is known while one of its workers lives: \`/scale?pool=NAME\` is 404 without one, and 503 while Redis is away. In both cases an
  autoscaler holds what it has. While no worker at all lives, the pool \`default\` is asked for what there is.
- The age of a delivery that was delayed counts from when it was enqueued, but never from before the queue was last seen with nothing ready.

\`\`\`json
{"workersRequired": 5, "queues": [{"name": "default", "ready": 4800, "claimed": 200, "delayed": 3, "dead": 0, "oldestMs": 9120,
  "arrivalsPerSecond": 50.2, "meanRunMs": 200.4}], "workers": 2}
\`\`\`

\`meanRunMs\` is 0 while nothing has run yet.

## An external metrics API of its own

A HorizontalPodAutoscaler can read these figures without Prometheus: the masters serve \`external.metrics.k8s.io/v1beta1\` where
\`ANTIPHON_METRICS_API_PORT\` and \`ANTIPHON_METRICS_API_CERTIFICATE\` are set (the chart's \`externalMetrics.apiService.enabled\`). It is off, and
stays off unless you know that nothing else serves that API: **a cluster can have only one**, and KEDA, prometheus-adapter and Datadog
bring theirs.

- It answers \`antiphon_workers_required\` (label \`pool\`), \`antiphon_queue_depth\` (\`queue\`, \`state\`) and \`antiphon_queue_oldest_age_seconds\`
  (\`queue\`), in the Kubernetes namespace of the release only.
- It believes requests that come through the API server: by the certificates that the ConfigMap
  \`kube-system/extension-apiserver-authentication\` names, read again every half minute. As long as it could not be read, nobody is believed.
- Figures are given to the controller of HorizontalPodAutoscalers
  (\`system:serviceaccount:kube-system:horizontal-pod-autoscaler\`) and to members of \`system:masters\`; that the API exists may be seen by
  everybody whom the API server lets ask, or their \`kubectl\` would complain.
- The certificate is read again every half minute, so a renewed Secret needs no restart.
`;

/** As one would write them for a single bot. */
function rules(): string {
  const lines = ALERTS.map(({ name, expression, minutes, severity }) => {
    const expr = expression.replaceAll(/,?%scope%/g, "").replaceAll("{}", "");
    return [`- alert: ${name}`, `  expr: ${expr}`, `  for: ${minutes}m`, `  labels: { severity: ${severity} }`].join(
      "\n",
    );
  });
  return lines.join("\n");
}

export function metricsPage(): string {
  const tables = Object.entries(METRIC_GROUPS).map(([title, rows]) => {
    const lines = Object.entries<MetricRow>(rows).map(([name, { type, labels, help }]) => {
      return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ") || "–"} | ${help} |`;
    });
    return [`## ${title}\n`, "| metric | type | labels | |", "|---|---|---|---|", ...lines, ""].join("\n");
  });
  return [INTRODUCTION, ...tables, rest()].join("\n").replace(/\n{3,}/g, "\n\n");
}

if (import.meta.main) writeFileSync(new URL("../docs/operators/metrics.md", import.meta.url), metricsPage());
