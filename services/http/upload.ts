// One body on its way in: what is read of it, and what the gate (body-gate.ts) knows of its sender.

import type { IncomingMessage } from "node:http";

/** How long the rest of a refused body is thrown away, so that its sender gets to read the refusal. */
const DISCARD_MS = 5_000;

type State = "idle" | "waiting" | "reading" | "held" | "gone";

export interface Upload {
  readonly stream: IncomingMessage;
  readonly limitBytes: number;
  readonly chunks: Buffer[];
  readonly done: PromiseWithResolvers<void>;
  state: State;
  bytes: number;
  /** With a place: what may still come. */
  reserved: number;
  ended: boolean;
  /** Had a place before and paused. */
  returning: boolean;
  /** Bytes at the last check of its pace, and how many checks in a row it was slow. */
  checkedBytes: number;
  slowChecks: number;
  lastBytesAt: number;
  /** Time taken by the sender so far, and since when it is taking more. */
  takenMs: number;
  since: number;
}

export function beginUpload(stream: IncomingMessage, limitBytes: number, now: number): Upload {
  return {
    stream,
    limitBytes,
    chunks: [],
    done: Promise.withResolvers(),
    state: "idle",
    bytes: 0,
    reserved: 0,
    ended: false,
    returning: false,
    checkedBytes: 0,
    slowChecks: 0,
    lastBytesAt: now,
    takenMs: 0,
    since: now,
  };
}

/** How large the body may become. */
export function expected(upload: Upload): number {
  const announced = Number(upload.stream.headers["content-length"]);
  return Math.max(upload.bytes, Number.isNaN(announced) ? upload.limitBytes : announced);
}

/**
 * Throws away what is still to come of a body that nobody wants. An answer to somebody who is still sending gets lost
 * when the connection is closed at once.
 */
export function discard(stream: IncomingMessage): void {
  if (stream.complete || stream.destroyed) return;
  const late = setTimeout(() => stream.socket.destroy(), DISCARD_MS).unref();
  stream.once("close", () => clearTimeout(late));
  stream.once("end", () => clearTimeout(late));
  stream.removeAllListeners("data");
  stream.socket.resume();
  stream.resume();
}
