// The embedded Valkey that all bots of a test process share, each in a namespace of its own.

import { type EmbeddedServer, startEmbedded } from "../redis/embedded.ts";

/** On the process and not in this module, because test runners load modules anew for each file. */
const KEPT = Symbol.for("antiphon.testing.server");
const kept = globalThis as { [KEPT]?: Promise<EmbeddedServer> };

/** Started by the first bot. It does not keep the process alive and ends with it. */
export async function sharedServer(): Promise<EmbeddedServer> {
  kept[KEPT] ??= startEmbedded().then((server) => {
    server.unref();
    return server;
  });
  return kept[KEPT];
}
