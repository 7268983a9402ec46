// Why a port cannot be listened on, in words that name the setting to change.

import { AntiphonError } from "./errors.ts";

export interface WantedPort {
  readonly host: string;
  readonly port: number;
  /** The variable that sets the port, e.g. ANTIPHON_HTTP_PORT; the host's is named alike. */
  readonly variable: string;
}

/** CONFIG_INVALID for what somebody has to change; any other error as it is. */
export function portProblem(error: unknown, { host, port, variable }: WantedPort): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const say = (text: string): AntiphonError => new AntiphonError("CONFIG_INVALID", `\n  ${text}`, { cause: error });
  if (code === "EADDRINUSE") return say(`Port ${port} is in use: stop what listens there, or set ${variable}.`);
  if (code === "EACCES") return say(`This user may not listen on port ${port}: set ${variable}.`);
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND")
    return say(`${host} is no address of this machine: set ${variable.replace("_PORT", "_HOST")}.`);
  return error;
}
