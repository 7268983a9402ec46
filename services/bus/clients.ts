// Whose client id it is. A client id selects a connection and is a target of messages, so whoever learned another's must not
// use it. Not promised: that other processes know of it.

import { AntiphonError } from "../runtime/errors.ts";
import { setNewest } from "../runtime/newest.ts";
import type { Known } from "./access.ts";

const CLIENTS_MAX = 20_000;
const CLIENT_CHARS_MAX = 128;

export class Clients {
  /** Client id -> the user that used it first. Those used last are remembered. */
  readonly #users = new Map<string, string>();

  /** Throws FORBIDDEN. Somebody unknown may become known, and nothing else. */
  bind(client: string, { user, site }: Known): void {
    if (client.length > CLIENT_CHARS_MAX) {
      throw new AntiphonError("REQUEST_INVALID", `A client id may have ${CLIENT_CHARS_MAX} characters.`);
    }
    const before = this.#users.get(client);
    const now = user === undefined ? undefined : `${site ?? ""}\n${user}`;
    if (before !== undefined && before !== now) {
      throw new AntiphonError("FORBIDDEN", "The client id is somebody else's.");
    }
    if (now !== undefined) setNewest(this.#users, [client, now], CLIENTS_MAX);
  }
}
