// A HorizontalPodAutoscaler of the cluster follows our own external metrics API, through the API server's aggregation layer.

import { waitFor } from "../../support/wait-for.ts";
import { count, type Finding, time } from "../support/figures.ts";
import { settled } from "../support/ledger.ts";
import type { Release } from "../support/release.ts";
import { Counts } from "./backlog.ts";

const PATH = "/apis/external.metrics.k8s.io/v1beta1";
const JOBS = 5_000;
const JOB_MS = 1_000;
const THERE_MS = 120_000;
const OUT_MS = 240_000;
const DONE_MS = 600_000;
/** The chart's HorizontalPodAutoscaler waits for three minutes. */
const IN_MS = 400_000;
const MIN = 2;
const MAX = 6;

/** Of the chart. */
export const HPA_VALUES = {
  autoscaling: { mode: "hpa", min: MIN, max: MAX },
  externalMetrics: { apiService: { enabled: true } },
};

interface Metrics {
  readonly items: readonly { readonly value: string }[];
}

export async function hpaFollows(release: Release): Promise<Finding> {
  const { cluster, store, namespace } = release;
  const metric = `${PATH}/namespaces/${namespace}/antiphon_workers_required`;
  await waitFor(async () => (await cluster.api<Metrics>(metric)).items.length > 0, {
    timeoutMs: THERE_MS,
    what: `${metric} answers`,
  });
  const counts = new Counts(release, "worker");
  await waitFor(() => counts.now >= MIN, { timeoutMs: OUT_MS, what: `${MIN} workers` });
  await release.settled();
  await store.queue.enqueueAll(
    "e2e.work",
    Array.from({ length: 40 }, (_, at) => ({ event: `before-${at}`, ms: JOB_MS })),
  );
  await settled(store, DONE_MS);
  const from = Date.now();
  await store.queue.enqueueAll(
    "e2e.work",
    Array.from({ length: JOBS }, (_, at) => ({ event: `flood-${at}`, ms: JOB_MS })),
  );
  await waitFor(() => counts.now > MIN, { timeoutMs: OUT_MS, what: "the HPA asks for more workers" });
  const askedMs = (counts.changes.find(({ at, replicas }) => at >= from && replicas > MIN)?.at ?? Number.NaN) - from;
  const value = (await cluster.api<Metrics>(metric)).items[0]?.value ?? "";
  await settled(store, DONE_MS);
  const doneAt = Date.now();
  await waitFor(() => counts.now < MAX, { timeoutMs: IN_MS, what: "the HPA asks for fewer" });
  const fewerMs = Date.now() - doneAt;
  await counts.stop();
  const past = await statusPast(release);
  return {
    name: "hpa",
    conditions: [
      "`autoscaling.mode: hpa`, `externalMetrics.apiService.enabled`: the metric comes through the API server from a master",
      `${JOBS} jobs of ${JOB_MS / 1000} s; the metric said ${value}; workers wished for: ${counts.changes.map(({ replicas }) => replicas).join(", ")}`,
    ],
    rows: [
      time("backlog of 5,000 → the HPA asks for the first new pod", askedMs, 20_000),
      count(`workers that it asked for, at most ${MAX}`, Math.max(...counts.changes.map(({ replicas }) => replicas))),
      time("all done → the HPA asks for fewer", fewerMs),
      count("the same question past the API server's front proxy: status", past, { is: 401 }),
    ],
    problems: past === 401 ? [] : [`whoever asks a master itself is answered with ${past}`],
  };
}

/** Of a master's pod, asked without the certificate of the front proxy. */
async function statusPast({ cluster, namespace, pods }: Release): Promise<number> {
  const pod = pods.ready("master")[0]?.name ?? "";
  const metric = `${PATH}/namespaces/${namespace}/antiphon_workers_required`;
  const { status } = await cluster.answer(`/api/v1/namespaces/${namespace}/pods/https:${pod}:6443/proxy${metric}`);
  return status;
}
