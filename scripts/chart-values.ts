// Reads charts/antiphon/values.yaml with its comments: what README.md and values.schema.json of the chart are written from.

import { readFileSync } from "node:fs";
import { isMap, isScalar, type Pair, parse, parseDocument, type YAMLMap } from "yaml";

export const CHART = new URL("../charts/antiphon/", import.meta.url);

export interface Entry {
  readonly key: string;
  /** With dots, from the top. */
  readonly path: string;
  /** What a comment with two dashes says of it, else the comment before a group. */
  readonly says: string;
  /** What `@schema` says. */
  readonly schema: Readonly<Record<string, unknown>>;
  readonly value: unknown;
  /** Of a group whose keys are ours; undefined where the keys are the user's or those of Kubernetes. */
  readonly entries: readonly Entry[] | undefined;
}

/** Maps of Kubernetes: their keys are not ours to judge. */
const FOREIGN = new Set([
  "resources",
  "strategy",
  "podSecurityContext",
  "securityContext",
  "startupProbe",
  "livenessProbe",
  "readinessProbe",
  "behavior",
  "fallback",
  "timeouts",
  "secretKeys",
]);

export function chartValues(): readonly Entry[] {
  const document = parseDocument(readFileSync(new URL("values.yaml", CHART), "utf8"));
  if (!isMap(document.contents)) throw new Error("values.yaml holds no map");
  return entriesOf(document.contents, "");
}

function entriesOf(map: YAMLMap, above: string): readonly Entry[] {
  return map.items.map((pair, index) => entryOf(pair, index === 0 ? (map.commentBefore ?? "") : "", above));
}

function entryOf({ key, value }: Pair, first: string, above: string): Entry {
  if (!isScalar(key)) throw new Error(`a key under ${above} is no text`);
  const name = String(key.value);
  const path = above === "" ? name : `${above}.${name}`;
  const isGroup = isMap(value) && value.items.length > 0 && !FOREIGN.has(name) && !(name === "labels");
  const comment = [first, key.commentBefore ?? ""].join("\n");
  return {
    key: name,
    path,
    ...readComment(comment, path),
    value: (value as { toJSON(): unknown } | null)?.toJSON() ?? null,
    entries: isGroup ? entriesOf(value, path) : undefined,
  };
}

function readComment(comment: string, path: string): Pick<Entry, "says" | "schema"> {
  const lines = (comment.split(/\n\s*\n/).at(-1) ?? "").split("\n").map((line) => line.trim());
  const marked = lines.filter((line) => line.startsWith("--")).map((line) => line.slice(2).trim());
  const plain = lines.filter((line) => line !== "" && !line.startsWith("--") && !line.startsWith("@"));
  const schemas = lines.filter((line) => line.startsWith("@schema")).map((line) => parse(line.slice("@schema".length)));
  if (schemas.length > 1) throw new Error(`${path} has two @schema`);
  const schema = (schemas[0] ?? {}) as Record<string, unknown>;
  return { says: (marked.length > 0 ? marked : plain).join(" "), schema };
}
