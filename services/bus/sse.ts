// The server-sent events face: one channel, `id:` is the position, so that a client resumes with `Last-Event-ID` on any process.

import type { ServerResponse } from "node:http";
import { AntiphonError } from "../runtime/errors.ts";
import type { Bus } from "./bus.ts";
import { type BusMessage, parsePosition, positionText } from "./position.ts";
import type { CloseReason, Conn, Face } from "./stream.ts";

/** How long a client waits before it comes back, ms. */
const RETRY_MS = 1_000;

const HEADERS = {
  // Nothing else will use this connection: so it does not outlive its stream when the server closes.
  connection: "close",
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "x-accel-buffering": "no",
} as const;

const frames = new WeakMap<BusMessage, Buffer>();

/** `data` holds no line breaks: what is published for browsers is JSON. */
const SSE: Face = {
  message(message) {
    const known = frames.get(message);
    if (known) return known;
    const head = `id: ${positionText(message)}\nevent: message\ndata: `;
    const frame = Buffer.concat([Buffer.from(head), message.data, Buffer.from("\n\n")]);
    frames.set(message, frame);
    return frame;
  },
  reset: (head) => Buffer.from(`id: ${head.epoch === "" ? "" : positionText(head)}\nevent: reset\ndata: {}\n\n`),
  idle: Buffer.from(": still here\n\n"),
};

class SseConn implements Conn {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  /** The first bytes at once, so that whoever is in between sees a living answer. */
  open(): void {
    if (this.#response.headersSent || this.#response.destroyed) return;
    this.#response.writeHead(200, HEADERS);
    this.#response.write(`retry: ${RETRY_MS}\n\n`);
  }

  send(frame: Buffer): void {
    this.open();
    this.#response.write(frame);
  }

  get bytesQueued(): number {
    return this.#response.writableLength;
  }

  close(reason: CloseReason): void {
    if (reason === "slow") this.#response.destroy();
    else this.#response.end();
  }
}

export interface SseRequest {
  readonly response: ServerResponse;
  readonly channel: string;
  /** As the client sent it. */
  readonly lastEventId?: string;
  readonly recent: number;
}

/** Resolves when the stream has begun. Throws before anything was written, so the caller can still answer with a status. */
export async function streamSse(bus: Bus, request: SseRequest): Promise<void> {
  const { response, channel, lastEventId, recent } = request;
  const after = lastEventId ? parsePosition(lastEventId) : undefined;
  if (lastEventId && !after) throw new AntiphonError("REQUEST_INVALID", "Last-Event-ID is no position.");
  const conn = new SseConn(response);
  const attached = await bus.attach({ channel, conn, face: SSE, recent, ...(after ? { after } : {}) });
  if (response.destroyed) return attached.leave();
  response.once("close", () => attached.leave());
  response.on("error", () => {});
  conn.open();
}
