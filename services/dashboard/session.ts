// Who looks at the page, and what they may do.

import type { Role } from "../admin/api.ts";
import { ask, csrf, get, Refusal } from "./ask.ts";
import { Store } from "./store.ts";

export interface Session {
  readonly name: string;
  readonly role: Role;
  readonly csrf?: string;
}

/** Undefined: not asked yet. Null: nobody is signed in. */
export const session = new Store<Session | null | undefined>(undefined);

export async function findSession(): Promise<void> {
  try {
    begin(await get<Session>("session"));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.status === 401) session.set(null);
  }
}

export async function signIn(token: string): Promise<void> {
  await ask("POST", "session", { token });
  begin(await get<Session>("session"));
}

export async function signOut(): Promise<void> {
  await ask("DELETE", "session");
  csrf.token = "";
  session.set(null);
}

function begin(found: Session): void {
  csrf.token = found.csrf ?? "";
  session.set(found);
}

const RANKS: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, admin: 2 };

export function may(role: Role): boolean {
  const mine = session.value?.role;
  return mine !== undefined && RANKS[mine] >= RANKS[role];
}
