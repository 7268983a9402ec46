// Who asks, and what a role may: each may all that the ones before it may.

import { type Role, ROLES } from "../../config/access.ts";
import type { Change } from "../audit.ts";

export type { Role } from "../../config/access.ts";

/** How the caller was identified. */
export type Way = "token" | "login" | "proxy" | "dev";

export interface Caller {
  /** Of the token, or as a proxy says. */
  readonly name: string;
  readonly role: Role;
  readonly way: Way;
  /** The address. */
  readonly from: string;
}

export function isAtLeast(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least);
}

/** What the caller is about to do, for the audit log. */
export function changeBy({ name: who, role, way, from }: Caller, what: Pick<Change, "action" | "target">): Change {
  return { who, role, way, ...what, from };
}
