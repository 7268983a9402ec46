// Everything that the chart renders, for every set of values of its ci folder, is taken by the API server: a dry run there, in
// a namespace with Pod Security `restricted`. Kinds that this cluster does not know are left out and named.

import { readdirSync } from "node:fs";
import { parseAllDocuments } from "yaml";
import type { Cluster } from "../support/cluster.ts";
import { command } from "../support/command.ts";
import { count, type Finding } from "../support/figures.ts";
import { CHART, NAME } from "../support/release.ts";

interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

const RESTRICTED = {
  "pod-security.kubernetes.io/enforce": "restricted",
  "pod-security.kubernetes.io/warn": "restricted",
};

export async function objectsTaken(cluster: Cluster, namespace: string): Promise<Finding> {
  const space = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels: RESTRICTED } };
  await cluster.apply(namespace, space);
  try {
    const sets = readdirSync(`${CHART}/ci`).filter((file) => file.endsWith("-values.yaml"));
    const known = await kindsOf(cluster);
    const unknown = new Set<string>();
    const problems: string[] = [];
    let taken = 0;
    for (const set of sets) {
      const args = ["template", NAME, CHART, "--namespace", namespace, "--values", `${CHART}/ci/${set}`];
      const text = await command("helm", [...args, "--kube-version", await versionOf(cluster)]);
      const all = parseAllDocuments(text).map((document) => document.toJS() as Rendered | null);
      const objects = all.filter((object) => object !== null);
      const asked = objects.filter(({ apiVersion, kind }) => known.has(`${apiVersion} ${kind}`));
      for (const { kind } of objects.filter((object) => !asked.includes(object))) unknown.add(kind);
      problems.push(...(await refused(asked)).map((line) => `${set}: ${line}`));
      taken += asked.length;
    }
    return {
      name: "objects",
      conditions: [
        `helm template with each of ${sets.length} sets of values, then kubectl apply --dry-run=server`,
        ...(unknown.size > 0 ? [`not known to this cluster and left out: ${[...unknown].join(", ")}`] : []),
      ],
      rows: [
        count("objects that were taken", taken),
        count("objects that were refused or warned of", problems.length, { is: 0 }),
      ],
      problems,
    };
  } finally {
    await cluster.kubectl("delete", "namespace", namespace, "--wait=false");
  }
}

/** What is wrong with them: errors, and warnings of Pod Security. */
async function refused(objects: readonly Rendered[]): Promise<string[]> {
  const input = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
  const apply = ["apply", "--dry-run=server", "--warnings-as-errors", "-f", "-"];
  try {
    await command("kubectl", apply, { input });
    return [];
  } catch (error) {
    const lines = String(error).split("\n");
    return lines.filter((line) => line !== "" && !/\((?:server )?dry run\)$|ended with \d+:$/.test(line));
  }
}

async function versionOf(cluster: Cluster): Promise<string> {
  const { gitVersion } = await cluster.api<{ gitVersion: string }>("/version");
  return gitVersion;
}

interface Groups {
  readonly groups: readonly { readonly versions: readonly { readonly groupVersion: string }[] }[];
}

async function kindsOf(cluster: Cluster): Promise<ReadonlySet<string>> {
  const { groups } = await cluster.api<Groups>("/apis");
  const versions = ["v1", ...groups.flatMap((group) => group.versions.map(({ groupVersion }) => groupVersion))];
  const kinds = await Promise.all(
    versions.map(async (version) => {
      const path = version === "v1" ? "/api/v1" : `/apis/${version}`;
      const { resources } = await cluster.api<{ resources: readonly { readonly kind: string }[] }>(path);
      return resources.map(({ kind }) => `${version} ${kind}`);
    }),
  );
  return new Set(kinds.flat());
}
