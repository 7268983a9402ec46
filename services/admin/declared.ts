// How a route of the API is declared: its name in the OpenAPI document, who may, what it answers, and the audit's name of a change.

import type { TSchema } from "typebox";
import { ApiError, type Role } from "./api.ts";

interface Told {
  /** operationId. */
  readonly id: string;
  /** A sentence for whoever reads the document. */
  readonly says: string;
  /** The heading under which it stands there. */
  readonly tag: string;
}

interface Schemas {
  readonly params?: TSchema;
  readonly querystring?: TSchema;
  readonly body?: TSchema;
}

const SECURITY = [{ bearer: [] }, { cookie: [] }];

// oxlint-disable typescript/explicit-function-return-type -- The types are what Fastify infers requests and answers from.

/** `answer` is what 200 has. */
export function look<const S extends Schemas, A extends TSchema>(
  { role = "viewer", ...told }: Told & { readonly role?: Role },
  answer: A,
  schemas: S,
) {
  return declared(told, { ...schemas, response: responses(answer) }, { role });
}

/** `audit`: as the audit log calls the change. */
export function change<const S extends Schemas, A extends TSchema>(
  { role = "operator", audit, ...told }: Told & { readonly role?: Role; readonly audit: string },
  answer: A,
  schemas: S,
) {
  return declared(told, { ...schemas, response: responses(answer) }, { role, audit });
}

function responses<A extends TSchema>(answer: A) {
  return { 200: answer, "4xx": ApiError, "5xx": ApiError };
}

function declared<const S extends object, C extends object>({ id, says, tag }: Told, schemas: S, config: C) {
  return { schema: { operationId: id, summary: says, tags: [tag], security: SECURITY, ...schemas }, config };
}
