// Which requests to upgrade a server takes: those of ours for WebSockets, and what others who listen want. Every other request
// is answered as if there were no WebSockets: clients ask for HTTP/2 with the same header, and mean nothing by it.

import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import type { Handler } from "./handler.ts";

/** Node's own; an option of `createServer` that stays on the server. test/unit/bus/websocket-ends.test.ts fails without it. */
interface Choosing {
  shouldUpgradeCallback?: (request: IncomingMessage) => boolean;
}

export function acceptUpgrades(server: Server, handler: Handler): void {
  const choosing = server as Choosing;
  const before = choosing.shouldUpgradeCallback;
  const hasOthers = (): boolean => server.listenerCount("upgrade") > 1;
  choosing.shouldUpgradeCallback = (request) => {
    if (handler.takesUpgrade(request)) return true;
    return hasOthers() && before?.call(server, request) !== false;
  };
  // oxlint-disable-next-line max-params -- As Node calls it.
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (handler.takesUpgrade(request)) void handler.upgrade(request, socket, head);
    else if (!hasOthers()) socket.destroy();
  });
}
