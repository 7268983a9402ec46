// What a master writes on pods of Kubernetes.

import type { Annotations, Cluster } from "../kubernetes/cluster.ts";
import { hasCode } from "../runtime/errors.ts";

/** Where a smaller number of pods is asked for, those with the lowest go first; a pod without it counts as 0. */
export const DELETION_COST = "controller.kubernetes.io/pod-deletion-cost";

/** A pod that is gone, or is of another cluster, needs no annotation. */
export async function annotate(cluster: Cluster, pod: string, annotations: Annotations): Promise<void> {
  try {
    await cluster.annotate(pod, annotations);
  } catch (error) {
    if (!hasCode(error, "KUBERNETES_MISSING")) throw error;
  }
}
