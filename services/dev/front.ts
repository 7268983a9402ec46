// The one public port of the local stack: passes each connection on to a living worker, bytes as they come.
//
// A worker that refuses (it restarts, it was killed) costs a new connection only a moment: another one is asked, again
// and again for some seconds. Connections that were with a worker when it died die with it.

import { connect, createServer, type Server, type Socket } from "node:net";
import type { Clock } from "../runtime/clock.ts";
import type { Part } from "../runtime/part.ts";
import { portProblem } from "../runtime/port-problem.ts";

export interface FrontOptions {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
}

const CONNECTIONS_MAX = 4096;
const WAIT_MS = 10_000;
const PAUSE_MS = 25;
const CONNECT_MS = 2000;
const BODY = JSON.stringify({ error: { code: "STARTING", message: "No worker is ready yet." } });
const UNAVAILABLE = [
  "HTTP/1.1 503 Service Unavailable",
  "Retry-After: 1",
  "Connection: close",
  "Content-Type: application/json",
  `Content-Length: ${BODY.length}`,
  "",
  BODY,
].join("\r\n");

export class Front implements Part {
  readonly name = "front";
  readonly #options: FrontOptions;
  readonly #server: Server;
  readonly #targets: number[] = [];
  readonly #sockets = new Set<Socket>();
  #next = 0;

  constructor(options: FrontOptions) {
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => void this.#serve(client));
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** @throws AntiphonError CONFIG_INVALID when the port is taken */
  async start(): Promise<void> {
    const { host, port } = this.#options;
    await listen(this.#server, host, port).catch((error: unknown) => {
      throw portProblem(error, { host, port, variable: "ANTIPHON_HTTP_PORT" });
    });
  }

  /** The port that it listens on, where the setting left it open. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : this.#options.port;
  }

  /** New connections may go to the worker at this port from now on. */
  add(port: number): void {
    if (!this.#targets.includes(port)) this.#targets.push(port);
  }

  remove(port: number): void {
    const at = this.#targets.indexOf(port);
    if (at >= 0) this.#targets.splice(at, 1);
  }

  /** Takes no more connections; those that are open may end until the deadline. */
  async stop(deadlineMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await Promise.race([closed, this.#options.clock.sleep(deadlineMs)]);
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #serve(client: Socket): Promise<void> {
    this.#keep(client);
    const worker = await this.#reach(client);
    if (worker === undefined) {
      client.end(UNAVAILABLE);
      return;
    }
    this.#keep(worker);
    client.once("close", () => worker.destroy());
    worker.once("close", () => client.destroy());
    client.pipe(worker);
    worker.pipe(client);
  }

  /** A connection to whichever worker accepts one first. */
  async #reach(client: Socket): Promise<Socket | undefined> {
    const { clock } = this.#options;
    const deadline = clock.monotonic() + WAIT_MS;
    for (let tried = 0; !client.destroyed && clock.monotonic() < deadline; tried++) {
      const target = this.#targets[this.#next++ % Math.max(1, this.#targets.length)];
      const worker = target === undefined ? undefined : await dial(target);
      if (worker !== undefined) return worker;
      if (tried >= this.#targets.length - 1) await clock.sleep(PAUSE_MS);
    }
    return undefined;
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#sockets.delete(socket));
  }
}

function dial(port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const fail = (): void => {
      socket.destroy();
      resolve(undefined);
    };
    const late = setTimeout(fail, CONNECT_MS);
    socket.once("error", fail);
    socket.once("connect", () => {
      clearTimeout(late);
      socket.off("error", fail);
      resolve(socket);
    });
  });
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Whether a port can be listened on, before others are started that need it. 0 always can. @throws AntiphonError */
export async function checkPort(host: string, port: number, variable: string): Promise<void> {
  if (port === 0) return;
  const server = createServer();
  await listen(server, host, port).catch((error: unknown) => {
    throw portProblem(error, { host, port, variable });
  });
  await new Promise((resolve) => server.close(resolve));
}
