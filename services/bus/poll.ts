// `POST /message-bus/<client id>/poll`: MessageBus' protocol, for its published clients as they are. Short, long and streamed.

import type { IncomingMessage } from "node:http";
import { AntiphonError } from "../runtime/errors.ts";
import { BASE_HEADERS } from "./answer.ts";
import type { Asking, Door } from "./door.ts";
import { StreamConn } from "./http-conn.ts";
import { PollFace } from "./poll-face.ts";
import type { From } from "./position.ts";
import { jsonObject, readBody } from "./request.ts";
import type { Stream } from "./stream.ts";
import { answerJson, WholeConn } from "./whole-conn.ts";
import { takeOver, type Wire } from "./wire.ts";

const SEQUENCE = "__seq";
/** The furthest that a reader may look back by count. */
const BACK_MAX = 100;

/** What a poll says. */
interface Poll {
  readonly channels: ReadonlyMap<string, From>;
  readonly sequence: number;
}

interface Held {
  readonly stream: Stream;
  readonly sequence: number;
}

export class PollDoor {
  readonly #door: Door;
  /** Of this process, by client id. */
  readonly #held = new Map<string, Held>();

  constructor(door: Door) {
    this.#door = door;
  }

  async answer(asking: Asking, client: string): Promise<void> {
    const { request } = asking;
    const { limits, settings, bus } = this.#door;
    const { channels, sequence } = await readPoll(request.raw);
    const { known, reader, wants, denied } = await this.#door.admit(asking, { client, channels });
    const chunked =
      request.raw.httpVersion === "1.1" && request.headers["dont-chunk"] === undefined && settings.chunked;
    const long =
      settings.longPolling && request.query.get("dlp") !== "t" && limits.connections < settings.maxActiveClients;
    const gaps = request.query.get("gaps") === "t";
    const options = { gaps, denied };
    if (!long) {
      const face = new PollFace({ ...options, chunked: false, short: true });
      const said = await bus.read({ wants, face, reader });
      return answerJson(asking, said ?? Buffer.from("[]"));
    }
    const face = new PollFace({ ...options, chunked });
    const conn = chunked ? new ChunkConn(asking) : new WholeConn(asking, [CLOSE]);
    const place = (stream: Stream): (() => void) => this.#place(client, { stream, sequence });
    const kind = chunked ? "stream" : "poll";
    const lifeMs = settings.longPollMs;
    await this.#door.hold({ known, request, wants, face, reader, conn, lifeMs, kind, place });
  }

  /** One connection per client id; the later request wins, as its sequence tells. */
  #place(client: string, held: Held): () => void {
    const other = this.#held.get(client);
    if (other !== undefined && other.sequence > held.sequence) {
      held.stream.close("ended");
      return () => {};
    }
    this.#held.set(client, held);
    other?.stream.close("ended");
    return () => {
      if (this.#held.get(client) === held) this.#held.delete(client);
    };
  }
}

async function readPoll(raw: IncomingMessage): Promise<Poll> {
  const body = await readBody(raw);
  const isJson = raw.headers["content-type"]?.includes("application/json") === true;
  const given = raw.method !== "POST" ? {} : isJson || typeof body !== "string" ? jsonObject(body || {}) : formOf(body);
  const channels = new Map<string, From>();
  let sequence = 0;
  for (const [name, value] of Object.entries(given)) {
    if (name === SEQUENCE) sequence = Number(value) || 0;
    else channels.set(name, fromOf(value));
  }
  return { channels, sequence };
}

function formOf(body: string): Record<string, string> {
  const given: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(body)) {
    if (/\[[^\]]*\]$/.test(name))
      throw new AntiphonError("REQUEST_INVALID", "Keys are names of channels, without [ ].");
    given[name] = value;
  }
  return given;
}

/** One integer per channel, as section 2.5 of the protocol has it; what is none means: from now on. */
function fromOf(value: unknown): From {
  if (typeof value === "object" && value !== null) {
    throw new AntiphonError("REQUEST_INVALID", "A position is a number.");
  }
  const text = String(value ?? "");
  if (!/^-?\d{1,16}$/.test(text)) return { kind: "now" };
  const number = Math.min(Number(text), Number.MAX_SAFE_INTEGER);
  if (number >= 0) return { kind: "after", offset: number };
  if (number === -1) return { kind: "now", tell: true };
  return { kind: "recent", count: Math.min(-number - 1, BACK_MAX) };
}

const STREAM_HEADERS = [
  ["x-accel-buffering", "no"],
  ["connection", "close"],
  ["content-type", "text/plain; charset=utf-8"],
  ["transfer-encoding", "chunked"],
  ["x-content-type-options", "nosniff"],
] as const;
/** As MessageBus does after a poll that was held. */
const CLOSE = ["connection", "close"] as const;
const LAST_CHUNK = Buffer.from("0\r\n\r\n");

/** Streams arrays, each in a chunk of its own. */
class ChunkConn extends StreamConn {
  protected override open({ response, headers }: Asking): Wire {
    const all = [...BASE_HEADERS, ...headers, ...STREAM_HEADERS];
    return takeOver(response, { headers: all, chunked: true, onGone: () => this.gone() });
  }

  protected override lastWords(): Buffer {
    return LAST_CHUNK;
  }
}
