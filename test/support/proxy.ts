// A TCP proxy that a test puts before a server, to cut its connections or to swallow everything without a word.

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export interface Proxy {
  readonly port: number;
  /** Bytes of both directions are dropped from now on; connections are accepted and stay open. */
  swallow(): void;
  /** Connections are refused and present ones reset. */
  refuse(): Promise<void>;
  /** New connections work again. What was swallowed is gone: present connections stay silent. */
  mend(): Promise<void>;
  stop(): Promise<void>;
}

/** Forwards to `target` on this host. */
export async function startProxy(target: number): Promise<Proxy> {
  const pairs = new Set<Socket>();
  let swallowing = false;
  const accept = (near: Socket): void => {
    const far = connect(target, "127.0.0.1");
    let dead = swallowing;
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      pairs.add(from);
      from.on("data", (bytes) => {
        dead ||= swallowing;
        if (!dead) to.write(bytes);
      });
      from.on("error", () => {});
      from.on("close", () => {
        pairs.delete(from);
        if (!dead) to.destroy();
        else if (from === near) far.destroy();
      });
    }
  };
  let server: Server = await listen(0, accept);
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    // A reset of what is ending already fails without a word, and its handle stays.
    for (const socket of pairs) {
      if (socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
    }
    await closed;
  };
  return {
    port,
    swallow: () => {
      swallowing = true;
    },
    refuse: close,
    mend: async () => {
      swallowing = false;
      if (!server.listening) server = await listen(port, accept);
    },
    stop: close,
  };
}

function listen(port: number, accept: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(accept).once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}
