// What a release asks of the API server when nothing happens, and over which nodes its pods spread.

import { setTimeout as pause } from "node:timers/promises";
import { count, type Finding } from "../support/figures.ts";
import type { Release } from "../support/release.ts";

const LOOK_MS = 60_000;
/** Calls that in a cluster at rest only the leader of `control` makes: kubelets change `pods/status`, controllers watch. */
const OURS = [
  { what: "PATCH pods", like: /resource="pods".*subresource="".*verb="PATCH"/ },
  { what: "LIST pods", like: /resource="pods".*subresource="".*verb="LIST"/ },
  { what: "GET and PATCH deployments/scale", like: /resource="deployments".*subresource="scale"/ },
  { what: "LIST horizontalpodautoscalers", like: /resource="horizontalpodautoscalers".*verb="LIST"/ },
  { what: "POST events", like: /group="events.k8s.io".*resource="events".*verb="(POST|CREATE)"/ },
];

export async function requestsAtRest(release: Release): Promise<Finding> {
  const { cluster, pods } = release;
  await release.settled();
  const before = await countsOf(cluster);
  await pause(LOOK_MS);
  const after = await countsOf(cluster);
  const each = OURS.map(({ what }, index) => ({ what, calls: (after[index] ?? 0) - (before[index] ?? 0) }));
  const perSecond = each.reduce((sum, { calls }) => sum + calls, 0) / (LOOK_MS / 1000);
  const tokens = pods.of("worker").filter(({ object }) => hasToken(object.spec.volumes ?? [])).length;
  return {
    name: "api-load",
    conditions: [
      `${LOOK_MS / 1000} s at rest; \`apiserver_request_total\` of calls that only a leader makes`,
      `these were: ${each.map(({ what, calls }) => `${what} ${calls}`).join(", ")}`,
    ],
    rows: [
      { name: "calls of the leader", value: perSecond, unit: "/s", reach: "≤ 1 /s", holds: perSecond <= 1 },
      count("workers with a token for the API server", tokens, { is: 0 }),
    ],
    problems: [
      ...(perSecond <= 1 ? [] : [`${perSecond} calls a second`]),
      ...(tokens === 0 ? [] : [`${tokens} workers have a token`]),
    ],
  };
}

async function countsOf(cluster: Release["cluster"]): Promise<number[]> {
  const lines = (await cluster.text("/metrics"))
    .split("\n")
    .filter((line) => line.startsWith("apiserver_request_total{"));
  return OURS.map(({ like }) =>
    lines.filter((line) => like.test(line)).reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0),
  );
}

function hasToken(volumes: readonly Readonly<Record<string, unknown>>[]): boolean {
  return volumes.some(({ projected }) => JSON.stringify(projected ?? {}).includes("serviceAccountToken"));
}

export async function spread(release: Release): Promise<Finding> {
  const { cluster, pods } = release;
  await release.settled();
  const nodes = (await cluster.nodes()).map(({ name }) => name);
  const perNode = (component: string): number[] =>
    nodes.map((node) => pods.of(component).filter(({ object }) => object.spec.nodeName === node).length);
  const [workers, masters] = [perNode("worker"), perNode("master")];
  const skew = (counts: readonly number[]): number => Math.max(...counts) - Math.min(...counts);
  return {
    name: "spread",
    conditions: [`${nodes.length} nodes: workers ${workers.join(", ")}; masters ${masters.join(", ")}`],
    rows: [
      { ...count("workers: most on a node less fewest", skew(workers), { atMost: 1 }) },
      { ...count("masters: most on a node less fewest", skew(masters), { atMost: 1 }) },
    ],
    problems: [workers, masters].some((counts) => skew(counts) > 1) ? ["pods do not spread"] : [],
  };
}
