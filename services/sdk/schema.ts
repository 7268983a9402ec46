// Runs any Standard Schema, whether it answers at once or later, and tells what does not fit as short lines of text.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Out, Schema } from "./infer.ts";

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly issues: readonly string[] };

/** Input decides how many issues there are and what they say, so both are capped. */
const ISSUES_MAX = 10;
const ISSUE_CHARS_MAX = 200;

/** Throws only what the schema itself throws. */
export async function runSchema<S extends Schema>(schema: S, value: unknown): Promise<Checked<Out<S>>> {
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return { ok: true, value: result.value as Out<S> };
  const issues = result.issues.slice(0, ISSUES_MAX).map(issueText);
  const more = result.issues.length - issues.length;
  return { ok: false, issues: more > 0 ? [...issues, `and ${more} more`] : issues };
}

function issueText(issue: StandardSchemaV1.Issue): string {
  const path = pathText(issue.path ?? []);
  const text = path === "" ? issue.message : `${path}: ${issue.message}`;
  return text.length > ISSUE_CHARS_MAX ? `${text.slice(0, ISSUE_CHARS_MAX - 1)}…` : text;
}

/** `commits[0].author` */
function pathText(path: NonNullable<StandardSchemaV1.Issue["path"]>): string {
  let text = "";
  for (const segment of path) {
    const key = typeof segment === "object" ? segment.key : segment;
    if (typeof key === "number") text += `[${key}]`;
    else text += text === "" ? String(key) : `.${String(key)}`;
    if (text.length > ISSUE_CHARS_MAX) break;
  }
  return text;
}

/** Whether a value is a Standard Schema. Schemas of some packages are functions. */
export function isSchema(value: unknown): value is Schema {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  const standard = (value as { readonly "~standard"?: unknown })["~standard"];
  if (typeof standard !== "object" || standard === null) return false;
  const { version, validate } = standard as { readonly version?: unknown; readonly validate?: unknown };
  return version === 1 && typeof validate === "function";
}
