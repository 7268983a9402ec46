// GET live: the server-sent events of the dashboard, from the channels of the bus that only the admin port shows. `event: now` is a
// Snapshot, `event: audit` a change by somebody. `id:` is where the reader stands in all of them; the bus' backlog is what it
// missed meanwhile, and at first the history of the charts.

import type { ServerResponse } from "node:http";
import type { Bus } from "../bus/bus.ts";
import type { Want } from "../bus/reading.ts";
import { type Face, newSlot, type Part, type Reset } from "../bus/face.ts";
import type { BusMessage } from "../bus/message.ts";
import { type From, parsePosition, type Position, positionText } from "../bus/position.ts";
import { readBody, readRequest } from "../bus/request.ts";
import { sseConn } from "../bus/sse.ts";
import type { Sub } from "../bus/stream.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { AUDIT_CHANNEL } from "./audit.ts";
import { NOW_CHANNEL } from "./now-channel.ts";

const CHANNELS = [
  { channel: NOW_CHANNEL, event: "now", recent: 300 },
  { channel: AUDIT_CHANNEL, event: "audit", recent: 50 },
] as const;
const EVENTS = new Map<string, string>(CHANNELS.map(({ channel, event }) => [channel, event]));
/** A channel that nobody has published on has no epoch. */
const NOTHING = "-";
/** A position of which nothing is known: what follows it cannot be told. */
const LOST: From = { kind: "after", epoch: "lost", offset: 0 };
const READER = { client: undefined, user: undefined, groups: [], isOurs: true } as const;

export interface LiveRequest {
  readonly response: ServerResponse;
  /** As the client sent it. */
  readonly lastEventId: string | undefined;
  readonly mayStay: () => Promise<boolean>;
}

/** Resolves when the stream has begun. Throws before anything was written. */
export async function streamLive(bus: Bus, { response, lastEventId, mayStay }: LiveRequest): Promise<void> {
  const wants = wantsOf(lastEventId);
  await readBody(response.req);
  const conn = sseConn({ request: readRequest(response.req), response, headers: [] });
  const stream = bus.open({ conn, face: new LiveFace(), reader: READER, mayStay });
  conn.gone = () => stream.leave();
  try {
    await bus.add(stream, wants, Math.max(...CHANNELS.map(({ recent }) => recent)));
  } catch (error) {
    stream.leave();
    throw error;
  }
}

function wantsOf(lastEventId: string | undefined): Want[] {
  if (!lastEventId)
    return CHANNELS.map(({ channel, recent }) => ({ channel, from: { kind: "recent", count: recent } }));
  const told = lastEventId.split(",");
  return CHANNELS.map(({ channel, recent }, index) => {
    const text = told[index];
    if (text === undefined) return { channel, from: LOST };
    // Nothing had been said there.
    if (text === NOTHING) return { channel, from: { kind: "recent", count: recent } };
    const position = parsePosition(text);
    if (position === undefined) throw new AntiphonError("REQUEST_INVALID", "Last-Event-ID is no position.");
    return { channel, from: { kind: "after", ...position } };
  });
}

class LiveFace implements Face {
  readonly slot = newSlot();
  readonly shared = false;
  readonly idle = Buffer.from(": still here\n\n");

  first(parts: readonly Part[]): Buffer {
    return Buffer.concat([Buffer.from("retry: 1000\n\n"), this.more(parts)]);
  }

  more(parts: readonly Part[]): Buffer {
    const frames = parts.flatMap(({ sub, recovered, at, messages }) => [
      ...(recovered ? [] : [resetOf(sub, at)]),
      ...messages.map((message) => frameOf(sub, message)),
    ]);
    const [first] = parts;
    return Buffer.concat([
      ...frames,
      ...(first === undefined ? [] : [Buffer.from(`id: ${cursorOf(first.sub.stream.subs)}\n\n`)]),
    ]);
  }

  messages(sub: Sub, messages: readonly BusMessage[]): Buffer {
    return Buffer.concat(
      messages.flatMap((message) => [
        Buffer.from(`id: ${cursorOf(sub.stream.subs.map((one) => (one === sub ? message : one)))}\n`),
        frameOf(sub, message),
      ]),
    );
  }

  reset(sub: Sub, { head, recent }: Reset): Buffer {
    return Buffer.concat([resetOf(sub, head), ...recent.map((message) => frameOf(sub, message)), this.moved([sub])]);
  }

  moved([sub]: readonly Sub[]): Buffer {
    return Buffer.from(sub === undefined ? "" : `id: ${cursorOf(sub.stream.subs)}\n\n`);
  }
}

function cursorOf(positions: readonly Position[]): string {
  return positions.map((position) => (position.epoch === "" ? NOTHING : positionText(position))).join(",");
}

/** What is published there is one line of JSON. */
function frameOf(sub: Sub, { data }: BusMessage): Buffer {
  return Buffer.concat([
    Buffer.from(`event: ${EVENTS.get(sub.feed.name) ?? "message"}\ndata: `),
    data,
    Buffer.from("\n\n"),
  ]);
}

function resetOf(sub: Sub, { epoch, offset }: Position): Buffer {
  const data = JSON.stringify({ channel: sub.feed.name, epoch, offset });
  return Buffer.from(`event: reset\ndata: ${data}\n\n`);
}
