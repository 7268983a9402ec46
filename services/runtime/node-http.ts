// node:http and node:https without what an `import` of them brings along: as ES modules they give out every name at once, also
// the WebSocket client that Node else loads when it is asked for. That is 10 MiB in a process, and 4 in each further thread.

import type http from "node:http";
import type https from "node:https";

export function nodeHttp(): typeof http {
  return process.getBuiltinModule("node:http");
}

export function nodeHttps(): typeof https {
  return process.getBuiltinModule("node:https");
}
