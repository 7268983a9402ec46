// Takes an HTTP connection out of its server's hands once its request was read. What remains of it is the socket: a third
// of the memory, and one write per frame. Where that cannot be done (HTTP/2, tests without sockets) the response stays.
//
// It reaches behind Node's public interface; test/unit/bus/wire.test.ts fails when an upgrade changes what is used here.

import type { ServerResponse } from "node:http";
import { Socket } from "node:net";

export interface Taking {
  /** In this order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** What is written comes as HTTP chunks. Otherwise the body ends with the connection. */
  readonly chunked: boolean;
  /** Called once, when the connection is closed by whomever. */
  readonly onGone: () => void;
}

export interface Wire {
  write(bytes: Buffer): void;
  readonly bytesQueued: number;
  /** Lets what was written go out, and closes. */
  end(): void;
  destroy(): void;
}

/** Listeners of Node's HTTP server on a socket, by the events that they hear. */
const SERVERS: Readonly<Record<string, string>> = {
  close: "bound socketOnClose",
  data: "bound socketOnData",
  end: "bound socketOnEnd",
  drain: "bound socketOnDrain",
  error: "socketOnError",
  timeout: "socketOnTimeout",
  resume: "onSocketResume",
  pause: "onSocketPause",
};
const REQUIRED = ["close", "data", "end", "error"];
/** How long the last bytes may take. */
const LINGER_MS = 5_000;

/** Answers 200 and gives what is left to write on. The request must have been read to its end. */
export function takeOver(response: ServerResponse, taking: Taking): Wire {
  const socket = detach(response);
  if (socket === undefined) return new ResponseWire(response, taking);
  const lines = taking.headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.write(`HTTP/1.1 200 OK\r\n${lines}\r\n`, "latin1");
  return new SocketWire(socket, taking.onGone);
}

type Listener = (this: Socket) => void;

function detach(response: ServerResponse): Socket | undefined {
  const { socket, req } = response;
  if (!(socket instanceof Socket) || response.headersSent || req.httpVersionMajor !== 1) return undefined;
  if (!req.complete || !req.readableEnded || socket.destroyed) return undefined;
  const found = new Map<string, Listener>();
  for (const [event, name] of Object.entries(SERVERS)) {
    const listener = socket.listeners(event).find((one) => one.name === name);
    if (listener !== undefined) found.set(event, listener as Listener);
  }
  if (REQUIRED.some((event) => !found.has(event))) return undefined;
  response.detachSocket(socket);
  for (const [event, listener] of found) socket.removeListener(event, listener);
  // The server forgets the connection as if it were closed: its parser goes to the next one.
  found.get("close")?.call(socket);
  return socket;
}

function ignore(): void {}

function endOfPeer(this: Socket): void {
  this.destroy();
}

class SocketWire implements Wire {
  readonly #socket: Socket;

  constructor(socket: Socket, onGone: () => void) {
    this.#socket = socket;
    socket.on("error", ignore);
    // What a peer says now is not listened to, but only who listens learns that it left.
    socket.on("data", ignore);
    socket.on("end", endOfPeer);
    socket.once("close", onGone);
    socket.resume();
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  get bytesQueued(): number {
    return this.#socket.writableLength;
  }

  end(): void {
    const socket = this.#socket;
    socket.end();
    const late = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    socket.once("close", () => clearTimeout(late));
    // We are the ones who close: the peer's own end need not be waited for.
    socket.once("finish", () => socket.destroySoon());
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

const HOP_BY_HOP = new Set(["connection", "transfer-encoding"]);

class ResponseWire implements Wire {
  readonly #response: ServerResponse;
  readonly #chunked: boolean;

  constructor(response: ServerResponse, { headers, chunked, onGone }: Taking) {
    this.#response = response;
    this.#chunked = chunked;
    response.on("error", ignore);
    response.once("close", onGone);
    for (const [name, value] of headers) if (!HOP_BY_HOP.has(name)) response.setHeader(name, value);
    response.writeHead(200);
    response.flushHeaders();
  }

  write(bytes: Buffer): void {
    if (this.#chunked) for (const payload of unchunked(bytes)) this.#response.write(payload);
    else this.#response.write(bytes);
  }

  get bytesQueued(): number {
    return this.#response.writableLength;
  }

  end(): void {
    this.#response.end();
  }

  destroy(): void {
    this.#response.destroy();
  }
}

/** What is in the HTTP chunks that were made for a socket. */
function unchunked(bytes: Buffer): Buffer[] {
  const payloads: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const line = bytes.indexOf("\r\n", at);
    const size = Number.parseInt(bytes.toString("latin1", at, line), 16);
    if (size > 0) payloads.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
  return payloads;
}
