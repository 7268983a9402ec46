// Who looks at the page, and what they may do.

import type { Role } from "../admin/api.ts";
import { ask, csrf, get, Refusal } from "./ask.ts";
import { Store } from "./store.ts";

export interface Session {
  readonly name: string;
  readonly role: Role;
  readonly csrf?: string;
  readonly way?: "token" | "login" | "proxy" | "dev";
  readonly signOutUrl?: string;
}

/** Undefined: not asked yet. Null: nobody is signed in. */
export const session = new Store<Session | null | undefined>(undefined);

/** Why somebody whom a proxy knows may nothing; "" otherwise. */
export const refused = new Store("");

export async function findSession(): Promise<void> {
  try {
    begin(await get<Session>("session"));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.status === 401) session.set(null);
    if (error.status === 403) refused.set(error.message);
  }
}

/** Whoever was known is not any more. A proxy's login is found by asking for the page itself. */
export async function findAgain(): Promise<void> {
  if (session.value?.way === "proxy") return location.reload();
  await findSession();
}

export async function signIn(token: string): Promise<void> {
  await ask("POST", "session", { token });
  begin(await get<Session>("session"));
}

/** Whether there is anything to sign out of: in development there is not. */
export function isSignedIn({ way, signOutUrl }: Session): boolean {
  return way === "login" || signOutUrl !== undefined;
}

export async function signOut(): Promise<void> {
  const url = session.value?.signOutUrl;
  if (url !== undefined) return location.assign(url);
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
