// What the default export of an adapter's module must look like: authors' code need not have been type-checked. Pure.

import { isSchema } from "../sdk/schema.ts";

type Table = Readonly<Record<string, unknown>>;

const NAME = /^[a-z][a-z0-9-]{0,31}$/;
const ONE_OF: Readonly<Record<string, readonly unknown[]>> = {
  ingress: ["shared", "overlap", "takeover", "exclusive"],
  replay: ["ack", "session", "cursor", "history", "none"],
  idempotency: ["key", "reconcile", "none"],
  outbound: ["rest", "socket"],
};
const FLAGS = [
  "threads",
  "edit",
  "delete",
  "react",
  "upload",
  "typing",
  "topic",
  "join",
  "buttons",
  "modals",
  "history",
  "lookup",
];
const CAPS: Readonly<Record<string, readonly unknown[]>> = {
  ...Object.fromEntries(FLAGS.map((flag) => [flag, [true, false]])),
  ephemeral: ["anytime", "interaction", false],
  maxTextUnit: ["chars", "bytes"],
  markup: ["mrkdwn", "markdown", "html", "entities", "plain"],
};

/** Empty when it is an adapter. */
export function moduleProblems(value: unknown): string[] {
  if (!isTable(value) || !isTable(value["manifest"]))
    return ["its default export is no adapter: use defineAdapter of antiphon/adapter"];
  if (value["format"] !== 1) return [`its format is ${String(value["format"])}; this Antiphon knows format 1`];
  const problems = manifestProblems(value["manifest"]);
  if (typeof value["create"] !== "function") problems.push("create must be a function");
  if (value["settings"] !== undefined && !isSchema(value["settings"]))
    problems.push("settings must be a Standard Schema");
  return problems;
}

function manifestProblems(manifest: Table): string[] {
  const problems = wrong(manifest, ONE_OF, "manifest");
  const { name, caps } = manifest;
  if (typeof name !== "string" || !NAME.test(name))
    problems.push("manifest.name must be a small letter and then at most 31 small letters, digits or -");
  if (!isTable(caps)) return [...problems, "manifest.caps must be an object"];
  problems.push(...wrong(caps, CAPS, "manifest.caps"));
  const { maxText } = caps;
  if (!(typeof maxText === "number" && Number.isInteger(maxText) && maxText > 0))
    problems.push("manifest.caps.maxText must be a whole number above 0");
  return problems;
}

function wrong(table: Table, wanted: Readonly<Record<string, readonly unknown[]>>, where: string): string[] {
  return Object.entries(wanted)
    .filter(([key, values]) => !values.includes(table[key]))
    .map(([key, values]) => `${where}.${key} must be ${values.map((one) => String(one)).join(" or ")}`);
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null;
}
