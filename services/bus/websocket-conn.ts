// A WebSocket as the connection of a stream. The handshake is answered with the first frame, so that whoever is refused gets an
// answer of HTTP. Not promised: that a peer that is gone is noticed before it left a ping without an answer.

import type { WebSocket } from "ws";
import type { CloseReason } from "./face.ts";
import type { HttpConn } from "./http-conn.ts";

/** Codes of RFC 6455 and its registry. 1001: come back at once; 1008: you may not; 1013: later. */
const CODES: Readonly<Record<CloseReason, number>> = { ended: 1001, revoked: 1008, slow: 1013 };
export const TRY_LATER = 1013;
export const BROKEN = 1011;

/** Nothing was heard for so long: it is asked; and for so long: it is gone. */
const ASK_MS = 15_000;
const GONE_MS = 30_000;

export class WebSocketConn implements HttpConn {
  gone: () => void = () => {};
  #handshake: (() => WebSocket | undefined) | undefined;
  #socket: WebSocket | undefined;
  #heard = true;
  #heardAt = 0;
  #asked = false;

  /** `handshake` answers it; undefined where it could not be. */
  constructor(handshake: () => WebSocket | undefined) {
    this.#handshake = handshake;
  }

  send(frame: Buffer): void {
    if (this.#handshake !== undefined) this.#open(this.#handshake);
    // What is sent to one that closes is dropped; its end is told by `gone`.
    this.#socket?.send(frame, { binary: false }, ignore);
  }

  #open(handshake: () => WebSocket | undefined): void {
    this.#handshake = undefined;
    this.#socket = handshake();
    if (this.#socket === undefined) return this.gone();
    for (const event of ["message", "ping", "pong"]) this.#socket.on(event, () => (this.#heard = true));
    this.#socket.on("error", ignore);
    this.#socket.once("close", () => this.gone());
  }

  get bytesQueued(): number {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** Asks now and then whether it is there. `now`: monotonic. */
  isGone(now: number): boolean {
    if (this.#heard) {
      this.#heard = this.#asked = false;
      this.#heardAt = now;
    }
    const silentMs = now - this.#heardAt;
    if (silentMs >= GONE_MS) return true;
    if (silentMs >= ASK_MS && !this.#asked) this.#socket?.ping(undefined, undefined, ignore);
    this.#asked ||= silentMs >= ASK_MS;
    return false;
  }

  close(reason: CloseReason): void {
    this.end(CODES[reason], reason);
  }

  /** Whoever does not answer in time is cut off (`closeTimeout`). */
  end(code: number, reason: string): void {
    this.#socket?.close(code, reason);
  }
}

function ignore(): void {}
