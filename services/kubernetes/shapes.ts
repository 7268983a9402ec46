// Between the API's objects, where everything may be missing, and ours. Pure.

import type * as library from "@kubernetes/client-node";
import type { Autoscaler, Occurrence, Pod, Scale } from "./cluster.ts";

export function toScale({ metadata, spec, status }: library.V1Scale): Scale {
  return {
    deployment: metadata?.name ?? "",
    uid: metadata?.uid ?? "",
    version: metadata?.resourceVersion ?? "",
    replicas: spec?.replicas ?? 0,
    selector: status?.selector ?? "",
  };
}

export function toPod({ metadata, status }: library.V1Pod): Pod {
  const labels = metadata?.labels ?? {};
  return {
    name: metadata?.name ?? "",
    uid: metadata?.uid ?? "",
    isReady: status?.conditions?.some(({ type, status: told }) => type === "Ready" && told === "True") ?? false,
    // One that has ended is counted by nobody any more.
    isLeaving: metadata?.deletionTimestamp !== undefined || status?.phase === "Failed" || status?.phase === "Succeeded",
    createdAtMs: metadata?.creationTimestamp?.getTime() ?? 0,
    revision: labels["pod-template-hash"] ?? "",
    labels,
    annotations: metadata?.annotations ?? {},
  };
}

export function toAutoscaler({ metadata, spec }: library.V2HorizontalPodAutoscaler): Autoscaler {
  const { kind = "", name = "" } = spec?.scaleTargetRef ?? {};
  return { name: metadata?.name ?? "", target: `${kind}/${name}` };
}

interface Teller {
  readonly namespace: string;
  readonly pod: string;
  readonly time: library.V1MicroTime;
}

/** What the API takes of a note. */
const NOTE_MAX = 1_000;

export function toEvent({ reason, note, isWarning, about }: Occurrence, teller: Teller): library.EventsV1Event {
  const { kind, name, uid } = about;
  return {
    metadata: { generateName: "antiphon-", namespace: teller.namespace },
    eventTime: teller.time,
    reportingController: "antiphon.dev/master",
    reportingInstance: teller.pod,
    action: reason,
    reason,
    note: note.slice(0, NOTE_MAX),
    type: isWarning ? "Warning" : "Normal",
    regarding: {
      apiVersion: kind === "Deployment" ? "apps/v1" : "v1",
      kind,
      name,
      namespace: teller.namespace,
      ...(uid !== undefined && { uid }),
    },
  };
}
