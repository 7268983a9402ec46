// One socket to an IRC server, plain or TLS: lines in, lines out, and the end of it, once, with a reason.
// A server that sends nonsense without end, or takes nothing, is left.

import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Clock } from "../../runtime/clock.ts";
import { Frame } from "./frame.ts";
import { type Line, parseLine } from "./line.ts";
import type { Refusal } from "./refusal.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** Files, read at each connect, so that a renewed certificate is used. */
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

const CONNECT_MS = 10_000;
/** Unsent bytes; a server that takes so little takes nothing. */
const UNSENT_BYTES_MAX = 256 * 1024;
/** Lines that are none, or too long, before it counts as no IRC server. */
const NONSENSE_MAX = 200;

export class Link {
  /** Resolves when the connection is over. */
  readonly closed: Promise<Refusal>;
  readonly #socket: Socket;
  readonly #frame = new Frame();
  readonly #clock: Clock;
  #onLine: (line: Line) => void = () => {};
  #nonsense = 0;
  #holding = true;
  /** Of one chunk of bytes at most: the socket is paused. */
  readonly #held: Line[] = [];
  #end: Refusal | undefined;
  #heardAt: number;

  private constructor(socket: Socket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    this.#heardAt = clock.monotonic();
    socket.on("data", (bytes: Buffer) => this.#read(bytes));
    // A half-open connection is of no use: what we say would reach nobody.
    socket.once("end", () => this.end({ kind: "lost", detail: "the server closed the connection" }));
    socket.on("error", (error) => this.end({ kind: "lost", detail: error.message }));
    this.closed = new Promise((resolve) => {
      socket.once("close", () => resolve(this.#end ?? { kind: "lost", detail: "the connection was lost" }));
    });
    socket.pause();
  }

  /** Rejects with the reason; waits no longer than `CONNECT_MS`. */
  static async open(address: Address, clock: Clock, signal: AbortSignal): Promise<Link> {
    const socket = await dial(address);
    return new Promise((resolve, reject) => {
      const waited = new AbortController();
      const settle = (error: Error | undefined): void => {
        waited.abort("settled");
        signal.removeEventListener("abort", stopped);
        socket.off("error", settle).off(ready, done);
        if (error === undefined) return resolve(new Link(socket, clock));
        socket.on("error", () => {}); // what a destroyed socket still tells
        socket.destroy();
        reject(error);
      };
      const done = (): void => settle(undefined);
      const stopped = (): void => settle(new Error("stopped"));
      const ready = address.tls ? "secureConnect" : "connect";
      socket.once("error", settle).once(ready, done);
      signal.addEventListener("abort", stopped, { once: true });
      if (signal.aborted) stopped();
      void clock.sleep(CONNECT_MS, waited.signal).then(() => {
        if (!waited.signal.aborted) settle(new Error(`no connection within ${CONNECT_MS} ms`));
      });
    });
  }

  /** Who hears the lines from now on; the first call begins the reading. */
  listen(onLine: (line: Line) => void): void {
    this.#onLine = onLine;
    this.#holding = false;
    for (const line of this.#held.splice(0)) onLine(line);
    this.#socket.resume();
  }

  /** Hears nothing until the next `listen`; what comes meanwhile is kept for it, in order. */
  hold(): void {
    this.#holding = true;
    this.#socket.pause();
  }

  /** Since the last byte came. */
  get silentMs(): number {
    return this.#clock.monotonic() - this.#heardAt;
  }

  write(line: string): void {
    if (!this.#socket.writable) return;
    this.#socket.write(`${line}\r\n`);
    if (this.#socket.writableLength > UNSENT_BYTES_MAX) this.end({ kind: "lost", detail: "the server takes nothing" });
  }

  /** The first reason counts. */
  end(reason: Refusal): void {
    this.#end ??= reason;
    this.#socket.destroy();
  }

  /** Remembers the reason for when the server closes, as it says it will. */
  expectEnd(reason: Refusal): void {
    this.#end ??= reason;
  }

  #read(bytes: Buffer): void {
    this.#heardAt = this.#clock.monotonic();
    for (const text of this.#frame.push(bytes)) {
      const line = parseLine(text);
      if (line === undefined) this.#nonsense++;
      else if (this.#holding) this.#held.push(line);
      else this.#onLine(line);
      if (this.#socket.destroyed) return;
    }
    if (this.#nonsense + this.#frame.overlong > NONSENSE_MAX) {
      this.end({ kind: "lost", detail: "what the server sends is not IRC" });
    }
  }
}

async function dial(address: Address): Promise<Socket> {
  const { host, port, tls, caFile, certFile, keyFile } = address;
  if (!tls) return connect({ host, port, noDelay: true, keepAlive: true });
  const file = async (path: string | undefined): Promise<Buffer | undefined> => (path ? readFile(path) : undefined);
  const [ca, cert, key] = await Promise.all([file(caFile), file(certFile), file(keyFile)]);
  const secrets = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  // A name for SNI and for the certificate; addresses have none.
  const named = /^[\d.]+$|:/.test(host) ? {} : { servername: host };
  const socket = connectTls({ host, port, ...named, ...secrets });
  return socket.setNoDelay(true).setKeepAlive(true);
}
