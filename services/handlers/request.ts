// From what came over HTTP to what a route's handler is given: body by content type, query, params and headers by schema.

import type { Fields, Schema } from "../sdk/infer.ts";
import type { HttpRoute } from "../sdk/routes.ts";
import { runSchema } from "../sdk/schema.ts";

export interface RequestParts {
  /** Without the question mark. */
  readonly search: string;
  /** Names in lower case. */
  readonly headers: Fields;
  readonly params: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface ReadRequest {
  readonly body: unknown;
  readonly query: unknown;
  readonly params: unknown;
  readonly headers: unknown;
}

export type RequestResult =
  | { readonly ok: true; readonly request: ReadRequest }
  | { readonly ok: false; readonly reason: string };

/** Nothing that is sent makes it throw; a schema that throws does. */
export async function readRequest(route: HttpRoute, parts: RequestParts): Promise<RequestResult> {
  let body: unknown;
  try {
    body = readBodyText(parts);
  } catch (error) {
    return { ok: false, reason: `the body is no JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  const given = { body, query: readFields(parts.search), params: parts.params, headers: parts.headers };
  const request: Record<keyof ReadRequest, unknown> = { ...given };
  for (const part of ["params", "query", "headers", "body"] as const) {
    const schema: Schema | undefined = route[part];
    if (schema === undefined) continue;
    const checked = await runSchema(schema, given[part]);
    if (!checked.ok) return { ok: false, reason: `${part}: ${checked.issues.join("; ")}` };
    request[part] = checked.value;
  }
  return { ok: true, request };
}

/** A field that comes once is a text, one that comes more often a list. */
export function readFields(search: string): Fields {
  const fields: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (const [name, value] of new URLSearchParams(search)) {
    const before = fields[name];
    if (before === undefined) fields[name] = value;
    else if (Array.isArray(before)) before.push(value);
    else fields[name] = [before, value];
  }
  return fields;
}

function readBodyText({ headers, body }: RequestParts): unknown {
  if (body.length === 0) return undefined;
  const header = headers["content-type"];
  const type = (Array.isArray(header) ? header[0] : header)?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (type === "application/json" || type.endsWith("+json")) return JSON.parse(body.toString("utf8"));
  if (type === "application/x-www-form-urlencoded") return readFields(body.toString("utf8"));
  if (type.startsWith("text/")) return body.toString("utf8");
  return body;
}
