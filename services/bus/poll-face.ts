// The bytes of MessageBus' protocol: arrays of messages with exactly four keys, statuses last, a separator behind each array
// that is streamed.

import { type Face, newSlot, type Part, type Reset } from "./face.ts";
import type { BusMessage } from "./message.ts";
import type { Sub } from "./stream.ts";

/** Inside the HTTP chunk, because proxies cut chunks anew. */
const SEPARATOR = "\r\n|\r\n";
const ESCAPED = "\r\n||\r\n";
const EMPTY = "[]";

const JSON_SLOT = newSlot();
const ARRAY_SLOT = newSlot();
const CHUNK_SLOT = newSlot();

/** A message of ours about channels: `/__status`, `/__gap`, `/__denied`. */
export function notice(channel: string, data: Readonly<Record<string, unknown>>): string {
  return `{"global_id":-1,"message_id":-1,"channel":"${channel}","data":${JSON.stringify(data)}}`;
}

function messageJson(sub: Sub, message: BusMessage): string {
  const { offset, globalOffset, data } = message;
  const ids = `{"global_id":${globalOffset || offset},"message_id":${offset}`;
  return `${ids},"channel":${JSON.stringify(sub.feed.name)},"data":${data.toString("utf8")}}`;
}

/** As one HTTP chunk: written to the socket as it is. */
function chunkOf(array: string): Buffer {
  const text = array.includes(SEPARATOR) ? array.replaceAll(SEPARATOR, ESCAPED) : array;
  const size = (Buffer.byteLength(text) + SEPARATOR.length).toString(16);
  return Buffer.from(`${size}\r\n${text}${SEPARATOR}\r\n`);
}

export interface PollFaceOptions {
  /** Streamed, or one array and the end. */
  readonly chunked: boolean;
  /** The client wants to hear of what it missed: an addition of ours. */
  readonly gaps: boolean;
  /** Channels that it asked for and may not read. */
  readonly denied?: Readonly<Record<string, string>> | undefined;
  /** An answer at once, also when there is nothing. */
  readonly short?: boolean;
}

export class PollFace implements Face {
  readonly slot: number;
  readonly shared = true;
  readonly moved?: (subs: readonly Sub[]) => Buffer;
  readonly #options: PollFaceOptions;

  constructor(options: PollFaceOptions) {
    const { chunked } = options;
    this.#options = options;
    this.slot = chunked ? CHUNK_SLOT : ARRAY_SLOT;
    // A poll that ends with its first message is not ended for this.
    if (chunked) this.moved = (subs) => this.#encode([statusOf(subs)]);
  }

  first(parts: readonly Part[]): Buffer | undefined {
    const { denied, gaps, chunked, short = false } = this.#options;
    const told = this.#told(parts);
    if (gaps && denied !== undefined) told.push(notice("/__denied", denied));
    return told.length > 0 || chunked || short ? this.#encode(told) : undefined;
  }

  more(parts: readonly Part[]): Buffer | undefined {
    const told = this.#told(parts);
    return told.length > 0 ? this.#encode(told) : undefined;
  }

  last(): Buffer {
    return this.#encode([]);
  }

  messages(sub: Sub, messages: readonly BusMessage[]): Buffer {
    if (!this.#options.chunked) return this.#encode(messages.map((message) => messageJson(sub, message)));
    const [only] = messages;
    if (messages.length === 1 && only !== undefined) return this.#chunk(sub, only);
    return Buffer.concat(messages.map((message) => this.#chunk(sub, message)));
  }

  reset(sub: Sub, { head, fresh }: Reset): Buffer | undefined {
    const told = fresh.map((message) => messageJson(sub, message));
    if (this.#options.gaps) told.unshift(notice("/__gap", { [sub.feed.name]: head.offset }));
    if (told.length === 0 && !this.#options.chunked) return undefined;
    return this.#encode([...told, statusOf([sub])]);
  }

  /** Channel by channel, as they were asked for; where they stand comes last. */
  #told(parts: readonly Part[]): string[] {
    const told: string[] = [];
    for (const { sub, messages, recovered, at } of parts) {
      if (this.#options.gaps && !recovered) told.push(notice("/__gap", { [sub.feed.name]: at.offset }));
      for (const message of messages) told.push(messageJson(sub, message));
    }
    const moved = parts.filter(({ tell, hidden }) => tell || hidden).map(({ sub }) => sub);
    if (moved.length > 0) told.push(statusOf(moved));
    return told;
  }

  #chunk(sub: Sub, message: BusMessage): Buffer {
    return (message.frames[JSON_SLOT] ??= chunkOf(`[${messageJson(sub, message)}]`));
  }

  #encode(told: readonly string[]): Buffer {
    const array = told.length === 0 ? EMPTY : `[${told.join(",")}]`;
    return this.#options.chunked ? chunkOf(array) : Buffer.from(array);
  }
}

function statusOf(subs: readonly Sub[]): string {
  return notice("/__status", Object.fromEntries(subs.map((sub) => [sub.feed.name, sub.offset])));
}
