// `GET /bus/sse`: server-sent events of one or more channels. `id:` is a cursor for all of them, so that a browser resumes by
// itself, on any process.

import { AntiphonError } from "../runtime/errors.ts";
import type { Asking, Door } from "./door.ts";
import { type Face, newSlot, type Part, type Reset } from "./face.ts";
import { streamLifeMs } from "./http-conn.ts";
import { readCount } from "./json-door.ts";
import { messageJson } from "./json-face.ts";
import type { BusMessage } from "./message.ts";
import { type From, parsePosition, type Position, positionText } from "./position.ts";
import { readBody } from "./request.ts";
import { sseConn } from "./sse.ts";
import type { Sub } from "./stream.ts";

const OPENING = "retry: 1000\n";
/** A channel that nobody has published on has no epoch. */
const NOTHING = "-";
/** A position of which nothing is known: what follows it cannot be told. */
const LOST: From = { kind: "after", epoch: "lost", offset: 0 };

export async function answerSse(door: Door, asking: Asking, random: () => number): Promise<void> {
  const { request } = asking;
  await readBody(request.raw);
  const names = request.query.getAll("channel");
  if (names.length === 0) throw new AntiphonError("REQUEST_INVALID", "Name channels: ?channel=/a&channel=/b.");
  const recent = readCount(Number(request.query.get("recent") ?? 0));
  const sent = request.headers["last-event-id"] ?? request.query.get("cursor");
  const channels = new Map(names.map((name) => [name, { kind: "recent", count: recent } as From]));
  const admitted = await door.admit(asking, { channels });
  const { known, reader, denied } = admitted;
  const cursor = typeof sent === "string" && sent !== "" ? sent : undefined;
  const wants = cursor === undefined ? admitted.wants : resumed(admitted.wants, cursor);
  const lifeMs = streamLifeMs(random);
  const face = wants.length === 1 ? new SseFace(denied, ONE_SLOT) : new SseFace(denied);
  await door.hold({ request, known, wants, face, reader, conn: sseConn(asking), lifeMs, kind: "sse", recent });
}

function resumed<W extends { readonly from: From }>(wants: readonly W[], cursor: string): W[] {
  const positions = cursor
    .split(",")
    .map((text) => (text === NOTHING ? { epoch: "", offset: 0 } : parsePosition(text)));
  if (positions.includes(undefined)) throw new AntiphonError("REQUEST_INVALID", "Last-Event-ID is no cursor.");
  const fits = positions.length === wants.length;
  return wants.map((want, index) => ({
    ...want,
    from: fits ? { kind: "after", ...(positions[index] as Position) } : LOST,
  }));
}

const BODY_SLOT = newSlot();
const ONE_SLOT = newSlot();
const MANY_SLOT = newSlot();
const LINE_END = /\r\n|\r|\n/g;

/** Of one channel the cursor is the same for all readers, and so is the frame. */
class SseFace implements Face {
  readonly slot: number;
  readonly shared: boolean;
  readonly idle = Buffer.from(": still here\n\n");
  readonly #denied: Readonly<Record<string, string>> | undefined;

  constructor(denied: Readonly<Record<string, string>> | undefined, slot = MANY_SLOT) {
    this.#denied = denied;
    this.slot = slot;
    this.shared = slot === ONE_SLOT;
  }

  first(parts: readonly Part[]): Buffer {
    const opening =
      this.#denied === undefined ? OPENING : `${OPENING}event: denied\ndata: ${JSON.stringify(this.#denied)}\n\n`;
    return Buffer.concat([Buffer.from(opening), this.more(parts)]);
  }

  more(parts: readonly Part[]): Buffer {
    const frames = parts.flatMap(({ sub, recovered, at, messages }) => [
      ...(recovered ? [] : [resetOf(sub, at)]),
      ...messages.map((message) => body(sub, message)),
    ]);
    const [first] = parts;
    const cursor = first === undefined ? "" : `id: ${cursorOf(first.sub.stream.subs)}\n\n`;
    return Buffer.concat([...frames, Buffer.from(cursor)]);
  }

  messages(sub: Sub, messages: readonly BusMessage[]): Buffer {
    const frames: Buffer[] = [];
    for (const message of messages) frames.push(this.#id(sub, message), body(sub, message));
    return Buffer.concat(frames);
  }

  reset(sub: Sub, { head, recent }: Reset): Buffer {
    const frames = recent.map((message) => body(sub, message));
    return Buffer.concat([resetOf(sub, head), ...frames, this.moved([sub])]);
  }

  /** An event without data moves the cursor and is not heard. */
  moved([sub]: readonly Sub[]): Buffer {
    return Buffer.from(sub === undefined ? "" : `id: ${cursorOf(sub.stream.subs)}\n\n`);
  }

  #id(sub: Sub, message: BusMessage): Buffer {
    const cursor = this.shared
      ? positionText(message)
      : cursorOf(sub.stream.subs.map((one) => (one === sub ? message : one)));
    return Buffer.from(`id: ${cursor}\n`);
  }
}

function cursorOf(positions: readonly Position[]): string {
  return positions.map((position) => (position.epoch === "" ? NOTHING : positionText(position))).join(",");
}

function body(sub: Sub, message: BusMessage): Buffer {
  const known = message.frames[BODY_SLOT];
  if (known !== undefined) return known;
  const lines = messageJson(sub, message).toString("utf8").replaceAll(LINE_END, "\ndata: ");
  return (message.frames[BODY_SLOT] = Buffer.from(`event: message\ndata: ${lines}\n\n`));
}

function resetOf(sub: Sub, { epoch, offset }: Position): Buffer {
  return Buffer.from(`event: reset\ndata: ${JSON.stringify({ channel: sub.feed.name, epoch, offset })}\n\n`);
}
