// The handlers that come with Antiphon. Each gives way to a handler of the team with the same name.

import groups from "./groups.ts";
import help from "./help.ts";
import info from "./info.ts";
import ping from "./ping.ts";
import { runLog } from "./run-log.ts";

export const BUILTINS = Object.freeze([help, ping, info, groups]);

/** With these a worker logs every run; for the log level `debug`, because they stand around every run. */
export const TALKATIVE = Object.freeze([...BUILTINS, runLog]);
