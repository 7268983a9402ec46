// Who speaks in the web chat: a guest, or the person whose bearer token was sent.

import { createHash, timingSafeEqual } from "node:crypto";
import { AntiphonError } from "../../runtime/errors.ts";
import type { Person } from "../../sdk/message.ts";

export interface WebPerson {
  /** The id without `web:`. */
  readonly name: string;
  readonly secret: string;
  readonly admin: boolean;
}

export interface IdentityOptions {
  readonly people: readonly WebPerson[];
  /** In development, on this machine only. */
  readonly guestIsAdmin: boolean;
}

export interface Credentials {
  readonly authorization: string | undefined;
  /** The Host header. */
  readonly host: string | undefined;
}

const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/i;

export class Identity {
  readonly #people: readonly { readonly digest: Buffer; readonly person: Person }[];
  readonly #guestIsAdmin: boolean;

  constructor(options: IdentityOptions) {
    this.#people = options.people.map(({ name, secret, admin }) => ({
      digest: digest(secret),
      person: { id: `web:${name}`, name, ...(admin ? { admin } : {}) },
    }));
    this.#guestIsAdmin = options.guestIsAdmin;
  }

  /** Throws UNAUTHORIZED for a token that names nobody: whoever sends one means to be somebody. */
  identify(credentials: Credentials): Person {
    const { authorization, host } = credentials;
    if (authorization !== undefined) return this.#named(authorization);
    // A page of another site that points its own name at this machine must not speak as an admin.
    const admin = this.#guestIsAdmin && LOOPBACK.test(host ?? "");
    return { id: "web:guest", name: "guest", ...(admin ? { admin } : {}) };
  }

  #named(authorization: string): Person {
    const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
    const claimed = digest(token ?? "");
    let found: Person | undefined;
    // All of them are compared, always: how long it takes says nothing.
    for (const { digest: known, person } of this.#people) if (timingSafeEqual(known, claimed)) found = person;
    if (token === undefined || found === undefined) throw new AntiphonError("UNAUTHORIZED", "");
    return found;
  }
}

function digest(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
