// The chart's README.md: how to install it, and a table of all values.

import { chartValues, type Entry } from "./chart-values.ts";

const INTRODUCTION = `<!-- Written by scripts/chart-pages.ts from values.yaml. -->

# The chart antiphon

Antiphon on Kubernetes 1.29 or newer: masters that hold the chat connections, workers that serve HTTP and run handlers, and the rights they
need. [docs/operators/install.md](../../docs/operators/install.md) has the first steps, [scaling.md](../../docs/operators/scaling.md) and
[upgrading.md](../../docs/operators/upgrading.md) what comes after.

\`\`\`sh
# to try it out, with a Redis of its own
helm install antiphon charts/antiphon --set redis.bundled.enabled=true

# in earnest
kubectl create secret generic antiphon-redis-url --from-literal=url='rediss://:PASSWORD@redis.example.com:6380'
helm install antiphon charts/antiphon --set redis.existingSecret=antiphon-redis-url --set image.repository=registry.example.com/our-bot
helm test antiphon --logs
\`\`\`

- **Values that do not fit together** stop \`helm install\` with every problem in one sentence each; unknown keys and wrong types too. Keys
  that begin with \`x-\` or a dot are yours, and \`global\` is open.
- **Secrets** come from Secrets of yours: every one has an \`existingSecret\`, and its content is a checksum in the pods, so that
  \`helm upgrade\` after a change of it rolls them.
- **Argo CD, Flux and \`helm template\`** render without the cluster, so that nothing can be kept that was made up before. Two things are made
  up by Helm: the password of \`redis.bundled\` (give \`redis.bundled.existingSecret\`) and the certificate of
  \`externalMetrics.apiService\` (give \`certificate.existingSecret\` and \`caBundle\`, or let cert-manager). Nothing else needs Helm:
  there are no hooks but \`helm test\`.
- **Selectors are frozen**: an upgrade never asks you to delete a Deployment. The version of the chart follows its values: what breaks them is
  a new major version.

## Values
`;

/** Where a key stands in the values of a mode too, that one goes before. */
const MODES = ["master", "worker"];

export function chartReadme(): string {
  const values = chartValues();
  const common = new Set(values.map(({ key }) => key));
  const alone = values.filter(({ entries }) => entries === undefined);
  const groups = values.filter(({ entries }) => entries !== undefined);
  const sections = groups.map((group) =>
    [`### ${group.key}\n`, ...(group.says === "" ? [] : [`${group.says}\n`]), table(leaves(group), common)].join("\n"),
  );
  return [INTRODUCTION, "### Of the whole release\n", table(alone, common), ...sections].join("\n");
}

function leaves(entry: Entry): readonly Entry[] {
  return entry.entries === undefined ? [entry] : entry.entries.flatMap(leaves);
}

function table(entries: readonly Entry[], common: ReadonlySet<string>): string {
  const rows = entries.map((entry) => `| \`${entry.path}\` | ${preset(entry.value)} | ${said(entry, common)} |`);
  return ["| key | default | |", "|---|---|---|", ...rows, ""].join("\n");
}

function said({ says, key, path }: Entry, common: ReadonlySet<string>): string {
  const text = says.replaceAll("|", "\\|");
  if (text !== "" || !common.has(key) || !MODES.includes(path.split(".")[0] ?? "")) return text;
  return `Before \`${key}\` of the whole release`;
}

function preset(value: unknown): string {
  if (value === null || value === "") return "–";
  return `\`${typeof value === "string" ? value : JSON.stringify(value).replaceAll("|", "\\|")}\``;
}
