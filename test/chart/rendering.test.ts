// What holds of everything that is rendered, with every set of values and for every Kubernetes.

import { expect, test } from "vitest";
import { at, ciValues, lint, type Manifest, MINORS, ofKind, podOf, render } from "./support/render.ts";

const SETS = Object.entries(ciValues());
const WORKLOADS = ["Deployment", "StatefulSet", "Pod"];
const CLUSTER_WIDE = ["ClusterRole", "ClusterRoleBinding", "APIService"];

test("there are sets for every mode of scaling", () => {
  const modes = SETS.map(([, values]) => at(values, "autoscaling.mode") ?? "builtin");
  expect(new Set(modes)).toEqual(new Set(["builtin", "keda", "hpa", "external", "none"]));
  expect(SETS.length).toBeGreaterThanOrEqual(10);
});

test.each(SETS)("%s: helm lint --strict has nothing to say", async (_name, values) => {
  expect(await lint(values)).not.toMatch(/\[(?:WARNING|ERROR)\]/);
});

test.each(SETS.flatMap(([name, values]) => MINORS.map((minor) => [name, minor, values] as const)))(
  "%s renders for Kubernetes %s",
  async (_name, kubernetes, values) => {
    const objects = await render(values, { kubernetes });
    const keys = objects.map(({ apiVersion, kind, metadata }) => `${apiVersion} ${kind} ${metadata.name}`);
    expect(new Set(keys).size).toBe(keys.length);
    for (const object of objects) expectSound(object);
    for (const workload of ofKind(objects, ...WORKLOADS)) expectRestricted(workload);
  },
);

function expectSound({ kind, metadata }: Manifest): void {
  const who = `${kind} ${metadata.name}`;
  expect(metadata.name.length, who).toBeLessThanOrEqual(63);
  if (metadata.name.endsWith("-extra") || metadata.name.endsWith("-text")) return; // the user's own
  const isOurs = metadata.namespace === "bots" || (kind === "RoleBinding" && metadata.namespace === "kube-system");
  expect(CLUSTER_WIDE.includes(kind) ? metadata.namespace === undefined : isOurs, who).toBe(true);
  expect(metadata.labels, who).toMatchObject({ "app.kubernetes.io/part-of": "antiphon" });
}

/** What Pod Security `restricted` asks, and a little more. Containers of the user's are the user's. */
function expectRestricted(workload: Manifest): void {
  const who = workload.metadata.name;
  const pod = podOf(workload);
  expect(at(pod, "securityContext.runAsNonRoot"), who).toBe(true);
  const [ours] = at(pod, "containers") as unknown[];
  expect(at(ours, "securityContext"), who).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  });
  expect(at(ours, "resources.requests"), who).toBeDefined();
  expect(at(pod, "enableServiceLinks"), who).toBe(false);
  expect(typeof at(pod, "automountServiceAccountToken"), who).toBe("boolean");
}

test("what the user adds is rendered as a template, and what is none stays as it is", async () => {
  const { "everything-else": values = {}, "inline-handlers": inline = {} } = ciValues();
  const names = (await render(values)).map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  expect(names).toContain("ConfigMap antiphon-extra");
  expect(names).toContain("ConfigMap antiphon-bot-text");
  const files = (await render(inline)).find(({ metadata }) => metadata.name === "antiphon-handlers");
  expect(String(Object.values(at(files, "data") as object)[0])).toContain("Hello! {{ not a template }}");
});
