// What a client says over its WebSocket, one message after the other:
//
//   {"subscribe": {"/a": {"epoch", "offset"}, "/b": {"recent": 5}, "/c": null}, "recent": 10}      {"unsubscribe": ["/a"]}

import { AntiphonError } from "../runtime/errors.ts";
import type { Emit } from "../telemetry/events.ts";
import type { Known } from "./access.ts";
import { refusalOf } from "./answer.ts";
import { storedName } from "./channel.ts";
import type { Door } from "./door.ts";
import { readChannels, readCount } from "./json-door.ts";
import type { JsonFace } from "./json-face.ts";
import { jsonObject } from "./request.ts";
import type { Stream } from "./stream.ts";
import { BROKEN, TRY_LATER, type WebSocketConn } from "./websocket-conn.ts";

export interface SessionOptions {
  readonly door: Door;
  readonly face: JsonFace;
  readonly conn: WebSocketConn;
  readonly known: Known;
  readonly emit: Emit;
}

const WORDS: ReadonlySet<string> = new Set(["subscribe", "unsubscribe", "recent"]);
/** Messages that wait for those before them. */
const WAITING_MAX = 20;

let sessions = 0;

export class WebSocketSession {
  readonly #options: SessionOptions;
  /** For the limit of requests. */
  readonly #name = `websocket ${++sessions}`;
  #stream: Stream | undefined;
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  readonly place = (stream: Stream): (() => void) => {
    this.#stream = stream;
    return () => {};
  };

  hear(message: Buffer, isBinary: boolean): void {
    if (this.#stream?.isClosed !== false) return;
    try {
      this.#options.door.limits.request(this.#name);
      if (this.#waiting >= WAITING_MAX) throw new AntiphonError("TOO_MANY_REQUESTS", "");
      if (isBinary) throw new AntiphonError("REQUEST_INVALID", "Messages are text.");
    } catch (error) {
      return this.#refuse(error);
    }
    this.#waiting++;
    this.#last = this.#last
      .then(() => this.#obey(message.toString("utf8")))
      .catch((error: unknown) => this.#refuse(error))
      .finally(() => this.#waiting--);
  }

  async #obey(text: string): Promise<void> {
    const said = jsonObject(text);
    const odd = Object.keys(said).find((word) => !WORDS.has(word));
    if (odd !== undefined) throw new AntiphonError("REQUEST_INVALID", `Nobody knows what "${odd.slice(0, 50)}" means.`);
    if (said["unsubscribe"] !== undefined) this.#unsubscribe(said["unsubscribe"]);
    if (said["subscribe"] !== undefined) await this.#subscribe(said["subscribe"], said["recent"] ?? 0);
  }

  #unsubscribe(names: unknown): void {
    const { door, conn, known } = this.#options;
    const fit = Array.isArray(names) && names.every((name) => typeof name === "string");
    if (!fit) throw new AntiphonError("REQUEST_INVALID", "unsubscribe is a list of channels.");
    const ended = names.filter((name) => this.#stream && door.bus.remove(this.#stream, storedName(name, known.site)));
    conn.send(Buffer.from(JSON.stringify({ unsubscribed: ended })));
  }

  /** A channel that is read already begins anew, where it is told to. */
  async #subscribe(asked: unknown, recent: unknown): Promise<void> {
    const { door, face, conn, known } = this.#options;
    const stream = this.#stream;
    const channels = readChannels(asked);
    const count = readCount(recent);
    if (stream === undefined || channels.size === 0) return;
    const others = stream.subs.filter(({ feed }) => !channels.has(feed.name));
    door.limits.channels(others.length + channels.size);
    const { wants, denied } = await door.allow(known, channels);
    if (stream.isClosed) return;
    if (denied !== undefined) conn.send(face.refuse(denied));
    for (const { channel } of wants) door.bus.remove(stream, channel);
    if (wants.length > 0) await door.bus.add(stream, wants, count);
  }

  /** What was only said wrong ends nothing. */
  #refuse(error: unknown): void {
    const { conn, emit } = this.#options;
    if (this.#stream?.isClosed !== false) return;
    const { status, code, message } = refusalOf(error);
    if (status === 500) emit("http.failed", { path: this.#name, error });
    conn.send(Buffer.from(JSON.stringify({ error: { code, message } })));
    if (status < 429) return;
    this.#stream.leave();
    conn.end(status === 500 ? BROKEN : TRY_LATER, code);
  }
}
