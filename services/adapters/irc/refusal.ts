// Why a server does not let us in or puts us out, as data: it decides how long we stay away. Pure.

import type { Line } from "./line.ts";

export interface Refusal {
  /**
   * `lost`: try again soon. `throttled`: we came too often. `credentials`, `banned`: somebody has to change something.
   * `twin`: another bot uses the same name or account.
   */
  readonly kind: "lost" | "throttled" | "credentials" | "banned" | "twin";
  readonly detail: string;
}

/** Undefined for every other line. */
export function refusalOf({ command, params }: Line): Refusal | undefined {
  const detail = params.at(-1) ?? command;
  switch (command) {
    case "464":
      return { kind: "credentials", detail: `the server's password: ${detail}` };
    case "465":
    case "466":
      return { kind: "banned", detail };
    case "ERROR":
      return ofError(detail);
    default:
      return undefined;
  }
}

const BANNED = /[kgz](l|-l)ined?\b|\bbanned\b|akill|\bnot authori[sz]ed\b|dronebl/i;
const PASSWORD = /bad password|password (mismatch|incorrect)|invalid password|access denied/i;
const THROTTLED = /throttl|too (fast|many)|reconnect|more connections|connection limit|excess flood/i;
const TAKEN = /\b(ghost|regain|recover|release)\b|new connection.*same/i;

/** The texts differ from server to server; what none of these fits is just the end of a connection. */
function ofError(detail: string): Refusal {
  const said = `the server closed the connection: ${detail}`;
  if (TAKEN.test(detail)) return { kind: "twin", detail: `another client took the nick (${detail})` };
  if (PASSWORD.test(detail)) return { kind: "credentials", detail: `password or address not accepted; ${said}` };
  if (BANNED.test(detail)) return { kind: "banned", detail: said };
  return { kind: THROTTLED.test(detail) ? "throttled" : "lost", detail: said };
}
