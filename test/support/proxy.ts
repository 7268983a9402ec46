// A TCP proxy that a test puts before a server, to delay or cut its connections or to swallow everything without a word.

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export interface Proxy {
  readonly port: number;
  /** Bytes of both directions are dropped from now on; connections are accepted and stay open. */
  swallow(): void;
  /** From now on bytes of both directions take so much longer, in order; 0 as they come. */
  delay(ms: number): void;
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
  let delayMs = 0;
  const accept = (near: Socket): void => {
    const far = connect(target, "127.0.0.1");
    let dead = swallowing;
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      pairs.add(from);
      const late = new Late((bytes) => !dead && to.write(bytes));
      from.on("data", (bytes) => {
        dead ||= swallowing;
        if (!dead) late.write(bytes, delayMs);
      });
      from.on("error", () => {});
      from.on("close", () => {
        pairs.delete(from);
        late.drop();
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
    delay: (ms) => {
      delayMs = ms;
    },
    refuse: close,
    mend: async () => {
      swallowing = false;
      if (!server.listening) server = await listen(port, accept);
    },
    stop: close,
  };
}

/** One direction of a slow line: what comes first leaves first. */
class Late {
  readonly #write: (bytes: Buffer) => void;
  readonly #waiting: { readonly bytes: Buffer; readonly at: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(write: (bytes: Buffer) => void) {
    this.#write = write;
  }

  write(bytes: Buffer, delayMs: number): void {
    if (delayMs === 0 && this.#waiting.length === 0) return this.#write(bytes);
    this.#waiting.push({ bytes, at: performance.now() + delayMs });
    this.#timer ??= setTimeout(() => this.#pass(), delayMs);
  }

  /** What is on its way is lost. */
  drop(): void {
    clearTimeout(this.#timer);
    this.#waiting.length = 0;
  }

  #pass(): void {
    while (this.#waiting[0] && this.#waiting[0].at <= performance.now()) {
      this.#write((this.#waiting.shift() as { bytes: Buffer }).bytes);
    }
    const [next] = this.#waiting;
    this.#timer = next && setTimeout(() => this.#pass(), Math.max(1, next.at - performance.now()));
  }
}

function listen(port: number, accept: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(accept).once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}
