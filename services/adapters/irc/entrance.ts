// Runs a registration over a link: as long as a server may take to let us in, and no longer.

import type { Clock } from "../../runtime/clock.ts";
import type { Link } from "./link.ts";
import type { Refusal } from "./refusal.ts";
import { type Identity, Registration, type Welcome } from "./registration.ts";

export type Entered = { readonly welcome: Welcome } | { readonly refusal: Refusal };

export interface EntranceOptions {
  readonly link: Link;
  readonly identity: Identity;
  readonly clock: Clock;
}

/** Servers look up names and identities first, some for half a minute. */
const ENTRANCE_MS = 45_000;

export async function enter({ link, identity, clock }: EntranceOptions): Promise<Entered> {
  const registration = new Registration(identity);
  const entered = Promise.withResolvers<Entered>();
  const waited = new AbortController();
  let over = false;
  link.listen((line) => {
    if (over) return;
    const { send, outcome } = registration.heard(line);
    for (const answer of send) link.write(answer);
    if (outcome === undefined) return;
    over = true;
    // What comes right behind must not be lost: whoever takes over reads on.
    link.hold();
    entered.resolve(outcome);
  });
  for (const line of registration.begin()) link.write(line);
  const closed = link.closed.then((refusal) => ({ refusal }));
  const late = clock.sleep(ENTRANCE_MS, waited.signal).then((): Entered => {
    return { refusal: { kind: "lost", detail: `the server did not let us in within ${ENTRANCE_MS / 1000} s` } };
  });
  const first = await Promise.race([entered.promise, closed, late]);
  waited.abort("done");
  return first;
}
