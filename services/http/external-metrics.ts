// external.metrics.k8s.io/v1beta1: what a HorizontalPodAutoscaler asks, and what it is answered. Pure.

import type { Sample } from "../telemetry/samples.ts";
import type { Asker } from "./front-proxy.ts";
import { parseSelector } from "./label-selector.ts";

const GROUP = "external.metrics.k8s.io/v1beta1";
const ROOT = `/apis/${GROUP}`;
const VALUES = new RegExp(`^${ROOT}/namespaces/([^/]+)/([^/]+)$`);

/** Those that one may scale on. A time to drain may be infinite, and no quantity is. */
const NAMES = ["antiphon_workers_required", "antiphon_queue_depth", "antiphon_queue_oldest_age_seconds"] as const;

/** The controller of autoscalers, and those who may do everything. What others may do is not asked of the API server. */
const READER = "system:serviceaccount:kube-system:horizontal-pod-autoscaler";
const MASTERS = "system:masters";

export interface Asked {
  readonly method: string;
  /** With its query. */
  readonly url: string;
  readonly asker: Asker | undefined;
}

export interface Answer {
  readonly code: number;
  readonly body: object;
}

export interface MetricsSource {
  /** Rejects where Redis is away. */
  readonly samples: () => Promise<readonly Sample[]>;
  /** The Kubernetes namespace of this bot: nobody is told its figures under another. */
  readonly namespace: string;
  readonly now: () => number;
}

/** Never throws. What there is may be known to all whom the API server lets ask: else their `kubectl` complains. */
export async function answer(asked: Asked, source: MetricsSource): Promise<Answer> {
  const { method, url, asker } = asked;
  if (asker === undefined) return status(401, "Unauthorized", "no front proxy vouches for this request");
  const [pathname = "", query = ""] = url.split("?", 2);
  if (method !== "GET") return status(405, "MethodNotAllowed", "there is nothing to be changed here");
  if (pathname.replace(/\/$/, "") === ROOT) return { code: 200, body: RESOURCES };
  const [, namespace, name] = VALUES.exec(pathname) ?? [];
  if (namespace === undefined || name === undefined)
    return status(404, "NotFound", "the server could not find the requested resource");
  if (asker.user !== READER && !asker.groups.includes(MASTERS))
    return status(403, "Forbidden", `${asker.user} may not read external metrics of Antiphon`);
  const matches = parseSelector(new URLSearchParams(query).get("labelSelector") ?? "");
  if (matches === undefined) return status(400, "BadRequest", "labelSelector cannot be read");
  if (namespace !== source.namespace || !NAMES.some((known) => known === name))
    return status(404, "NotFound", `there is no metric ${name} in the namespace ${namespace}`);
  try {
    const samples = (await source.samples()).filter((sample) => sample.name === name && matches(sample.labels));
    return { code: 200, body: listOf(samples, new Date(source.now())) };
  } catch {
    return status(503, "ServiceUnavailable", "Redis does not answer");
  }
}

const RESOURCES = {
  kind: "APIResourceList",
  apiVersion: "v1",
  groupVersion: GROUP,
  resources: NAMES.map((name) => {
    return { name, singularName: "", namespaced: true, kind: "ExternalMetricValueList", verbs: ["get"] };
  }),
};

/** An autoscaler adds up all items. */
function listOf(samples: readonly Sample[], at: Date): object {
  const timestamp = at.toISOString().replace(/\.\d+Z$/, "Z");
  const items = samples.map(({ name, labels, value }) => {
    return { metricName: name, metricLabels: labels, timestamp, value: quantityOf(value) };
  });
  return { kind: "ExternalMetricValueList", apiVersion: GROUP, metadata: {}, items };
}

/** Whole, or in thousandths: a Quantity takes no long fractions. */
export function quantityOf(value: number): string {
  return Number.isInteger(value) ? String(value) : `${Math.round(value * 1000)}m`;
}

function status(code: number, reason: string, message: string): Answer {
  return { code, body: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code } };
}
