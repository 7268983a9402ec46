// The server-sent events of one channel whose messages are lines of JSON: `id:` is the position, so that a client resumes
// with `Last-Event-ID` on any process. For parts that have a page of their own; the bus' own face is sse-door.ts.

import type { ServerResponse } from "node:http";
import { AntiphonError } from "../runtime/errors.ts";
import type { Asking } from "./door.ts";
import type { Bus } from "./bus.ts";
import { type Face, newSlot, type Part, type Reset } from "./face.ts";
import { StreamConn } from "./http-conn.ts";
import type { BusMessage } from "./message.ts";
import { parsePosition, type Position, positionText } from "./position.ts";
import { readBody, readRequest } from "./request.ts";
import type { Sub } from "./stream.ts";
import { takeOver, type Wire } from "./wire.ts";

/** How long a client waits before it comes back, ms. */
const RETRY_MS = 1_000;

const HEADERS = [
  // Nothing else will use this connection: it ends with its stream.
  ["connection", "close"],
  ["content-type", "text/event-stream; charset=utf-8"],
  ["cache-control", "no-store"],
  ["x-content-type-options", "nosniff"],
  ["x-accel-buffering", "no"],
] as const;

const SLOT = newSlot();
const OPENING = Buffer.from(`retry: ${RETRY_MS}\n\n`);

/** `data` holds no line breaks: what is published for browsers is JSON. */
function lineOf(message: BusMessage): Buffer {
  const head = `id: ${positionText(message)}\nevent: message\ndata: `;
  return (message.frames[SLOT] ??= Buffer.concat([Buffer.from(head), message.data, Buffer.from("\n\n")]));
}

function resetOf(head: Position): Buffer {
  return Buffer.from(`id: ${head.epoch === "" ? "" : positionText(head)}\nevent: reset\ndata: {}\n\n`);
}

const LINES: Face = {
  slot: SLOT,
  shared: true,
  first: (parts) => Buffer.concat([OPENING, ...parts.flatMap(lines)]),
  more: (parts) => Buffer.concat(parts.flatMap(lines)),
  messages: (_sub: Sub, messages) => {
    const [only] = messages;
    return messages.length === 1 && only !== undefined ? lineOf(only) : Buffer.concat(messages.map(lineOf));
  },
  reset: (_sub: Sub, { head, recent }: Reset) => Buffer.concat([resetOf(head), ...recent.map(lineOf)]),
  idle: Buffer.from(": still here\n\n"),
};

function lines({ recovered, at, messages }: Part): Buffer[] {
  return [...(recovered ? [] : [resetOf(at)]), ...messages.map(lineOf)];
}

class SseConn extends StreamConn {
  protected override open({ response, headers }: Asking): Wire {
    return takeOver(response, { headers, chunked: false, onGone: () => this.gone() });
  }

  protected override lastWords(): undefined {}
}

export function sseConn(asking: Asking): StreamConn {
  return new SseConn({ ...asking, headers: [...HEADERS, ...asking.headers] });
}

export interface SseRequest {
  readonly response: ServerResponse;
  readonly channel: string;
  /** As the client sent it. */
  readonly lastEventId?: string;
  readonly recent: number;
}

/** Resolves when the stream has begun. Throws before anything was written, so the caller can still answer with a status. */
export async function streamSse(bus: Bus, { response, channel, lastEventId, recent }: SseRequest): Promise<void> {
  const after = lastEventId ? parsePosition(lastEventId) : undefined;
  if (lastEventId && !after) throw new AntiphonError("REQUEST_INVALID", "Last-Event-ID is no position.");
  await readBody(response.req);
  const conn = sseConn({ request: readRequest(response.req), response, headers: [] });
  const stream = bus.open({ conn, face: LINES, reader: { client: undefined, user: undefined, groups: [] } });
  conn.gone = () => stream.leave();
  const from = after ? ({ kind: "after", ...after } as const) : ({ kind: "recent", count: recent } as const);
  try {
    await bus.add(stream, [{ channel, from }], recent);
  } catch (error) {
    stream.leave();
    throw error;
  }
}
