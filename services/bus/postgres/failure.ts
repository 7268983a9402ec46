// What an error of Postgres means: that it is away, that its tables are gone, or that what was sent can never be stored.

import { AntiphonError } from "../../runtime/errors.ts";

/** The schema, a table or a function is not there. */
const GONE = ["3F000", "42P01", "42883"];
/** The data itself: it would fail again and again. */
const HOPELESS = /^2[23]/;
/** Connections, conflicts, resources, locks, an operator, the system, a server that only reads: each passes. */
const PASSING = /^(08|40|53|55|57|58|25006)/;

export function isGone(error: unknown): boolean {
  return GONE.includes(stateOf(error));
}

export function isHopeless(error: unknown): boolean {
  return HOPELESS.test(stateOf(error));
}

/** Postgres is there and will not: somebody has to change something, a right for example. */
export function isRefusal(error: unknown): boolean {
  return /^[0-9A-Z]{5}$/.test(stateOf(error)) && !PASSING.test(stateOf(error)) && !isGone(error);
}

export function unavailable(cause: unknown): AntiphonError {
  if (cause instanceof AntiphonError) return cause;
  return new AntiphonError("POSTGRES_UNAVAILABLE", cause instanceof Error ? cause.message : "", { cause });
}

/** SQLSTATE; "" of what is no answer of Postgres. */
function stateOf(error: unknown): string {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === "string" ? code : "";
}
