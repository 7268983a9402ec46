// The chart's values.schema.json: strict below our own keys, so that a slip of the pen is told; open for those of Kubernetes and
// of umbrella charts.

import { chartValues, type Entry } from "./chart-values.ts";

type Schema = Readonly<Record<string, unknown>>;

/** Keys that nothing reads, for anchors of YAML and notes of one's own. */
const OWN_NOTES = { "^(x-|\\.)": {} };
/** A pool's name is a part of its Deployment's. */
const POOL_NAME = "^[a-z]([-a-z0-9]{0,18}[a-z0-9])?$";
const TEXT = { type: "string" };

const ADAPTER = group({
  enabled: { type: "boolean" },
  config: { type: "object" },
  existingSecret: TEXT,
  secretKeys: { type: "object", additionalProperties: TEXT },
  mastersOnly: { type: "boolean" },
});

export function chartSchema(): string {
  const values = chartValues();
  const worker = values.find(({ key }) => key === "worker")?.entries ?? [];
  const scaling = values.find(({ key }) => key === "autoscaling")?.entries ?? [];
  const ofPool = {
    ...propertiesOf(worker.filter(({ key }) => key !== "pools")),
    autoscaling: group(propertiesOf(scaling.filter(({ key }) => ["mode", "min", "max"].includes(key)))),
  };
  const schema = {
    $schema: "http://json-schema.org/draft-07/schema#",
    $comment: "Written by scripts/chart-pages.ts from values.yaml.",
    title: "Values of the chart antiphon",
    ...group(propertiesOf(values)),
    definitions: { adapter: ADAPTER, pool: group(ofPool) },
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

function group(properties: Schema): Schema {
  return { type: "object", properties, patternProperties: OWN_NOTES, additionalProperties: false };
}

function propertiesOf(entries: readonly Entry[]): Schema {
  return Object.fromEntries(entries.map((entry) => [entry.key, schemaOf(entry)]));
}

function schemaOf(entry: Entry): Schema {
  const { each, ...said } = entry.schema;
  const about = entry.says === "" ? {} : { description: entry.says };
  if (each !== undefined) return { type: "object", ...about, ...eachOf(String(each)) };
  if (entry.entries !== undefined) return { ...about, ...group(propertiesOf(entry.entries)), ...said };
  const type = "enum" in said ? {} : { type: typeOf(entry) };
  return { ...type, ...about, ...said };
}

function eachOf(definition: string): Schema {
  const ref = { $ref: `#/definitions/${definition}` };
  return definition === "pool"
    ? { patternProperties: { [POOL_NAME]: ref }, additionalProperties: false }
    : { additionalProperties: ref };
}

function typeOf({ value, path, schema }: Entry): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return "integer";
  if (typeof value === "string" || typeof value === "boolean") return typeof value;
  if (typeof value === "object" && value !== null) return "object";
  if (schema["type"] !== undefined) return "null"; // overruled by what @schema says
  throw new Error(`${path} is null: its type must stand in @schema`);
}
