// The handlers that come with Antiphon. Each gives way to a handler of the team with the same name.

import groups from "./groups.ts";
import help from "./help.ts";
import info from "./info.ts";
import ping from "./ping.ts";

export const BUILTINS = Object.freeze([help, ping, info, groups]);
