// The bundled Redis on a volume made by hand: its pod is deleted under load, and comes back with everything.

import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { waitFor } from "../../support/wait-for.ts";
import type { Cluster } from "../support/cluster.ts";
import { count, type Finding } from "../support/figures.ts";
import { restartsOf } from "../support/pods.ts";
import { Release } from "../support/release.ts";
import { underLoad } from "../support/under-load.ts";
import { fixed, merged } from "../support/values.ts";

const BACK_MS = 120_000;
const CLAIM = "redis-by-hand";

/** The folder is made on the node where this runs: the cluster's first one. */
export async function volumeKept(cluster: Cluster, namespace: string): Promise<Finding> {
  const volume = `e2e-${namespace}`;
  const folder = `/var/tmp/${volume}`;
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o777);
  const [node] = await cluster.nodes();
  await cluster.apply("default", persistentVolume(volume, folder, node?.name ?? ""));
  const values = merged(fixed(2, 2), {
    redis: { bundled: { enabled: true, persistence: { enabled: true, existingClaim: CLAIM } } },
    extraObjects: [persistentVolumeClaim(volume)],
  });
  const release = await Release.install({ cluster, namespace, bundled: true, values });
  try {
    return await redisDeleted(release);
  } catch (error) {
    throw await release.explained(error);
  } finally {
    await release.remove();
    await cluster.kubectl("delete", "persistentvolume", volume, "--wait=false");
    rmSync(folder, { recursive: true, force: true });
  }
}

async function redisDeleted(release: Release): Promise<Finding> {
  const { cluster, namespace, pods } = release;
  const name = "the bundled Redis pod deleted";
  const account = await underLoad({
    release,
    name,
    steadyMs: 4_000,
    failuresAllowed: true,
    act: async () => {
      const old = pods.ready("antiphon-redis")[0]?.name;
      await cluster.kubectl("--namespace", namespace, "delete", "pod", old ?? "", "--wait=false");
      const isBack = (): boolean =>
        pods.all.some((pod) => pod.name === old && pod.deletedAt !== undefined && pod.goneAt !== undefined) &&
        pods.ready("antiphon-redis").length === 1;
      await waitFor(isBack, { timeoutMs: BACK_MS, what: "Redis is back" });
      await release.leader();
    },
  });
  return {
    name: "volume",
    conditions: [
      "2 workers, 2 masters; `redis.bundled.persistence.existingClaim` on a PersistentVolume made by hand; append-only file, synced each second",
      ...account.conditions,
    ],
    rows: [...account.rows, count("restarts of workers and masters", restartsIn(release), { is: 0 })],
    problems: account.problems,
  };
}

function restartsIn({ pods }: Release): number {
  return [...pods.of("worker"), ...pods.of("master")].reduce((sum, pod) => sum + restartsOf(pod), 0);
}

const SIZE = { storage: "1Gi" };

function persistentVolume(name: string, path: string, node: string) {
  const isOn = { key: "kubernetes.io/hostname", operator: "In", values: [node] };
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name },
    spec: {
      capacity: SIZE,
      accessModes: ["ReadWriteOnce"],
      persistentVolumeReclaimPolicy: "Retain",
      storageClassName: "",
      local: { path },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [isOn] }] } },
    },
  };
}

function persistentVolumeClaim(volumeName: string) {
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: CLAIM },
    spec: { accessModes: ["ReadWriteOnce"], storageClassName: "", volumeName, resources: { requests: SIZE } },
  };
}
