// Messages with epochs, as JSON: for programs with a plain HTTP client, and for WebSockets.
//
//   {"channels": {"/a": {"epoch": "…", "offset": 7, "recovered": true}}, "messages": [{"channel", "epoch", "offset", "data"}]}

import { type Face, newSlot, type Part, type Reset } from "./face.ts";
import type { BusMessage } from "./message.ts";
import type { Stream, Sub } from "./stream.ts";

const MESSAGE_SLOT = newSlot();
const ANSWER_SLOT = newSlot();
const PUSH_SLOT = newSlot();

export function messageJson(sub: Sub, message: BusMessage): Buffer {
  const known = message.frames[MESSAGE_SLOT];
  if (known !== undefined) return known;
  const { epoch, offset, data } = message;
  const head = `{"channel":${JSON.stringify(sub.feed.name)},"epoch":"${epoch}","offset":${offset},"data":`;
  return (message.frames[MESSAGE_SLOT] = Buffer.concat([Buffer.from(head), data, CLOSE]));
}

const CLOSE = Buffer.from("}");
const COMMA = Buffer.from(",");

interface Told {
  readonly sub: Sub;
  readonly recovered: boolean;
}

export class JsonFace implements Face {
  readonly slot: number;
  readonly shared: boolean;
  readonly moved?: (subs: readonly Sub[]) => Buffer;
  readonly idle?: Buffer;
  readonly #once: boolean;
  readonly #short: boolean;
  #denied: Readonly<Record<string, string>> | undefined;

  /** `poll`: one answer, with all channels; `short`: at once. `push`: whenever there is something, with what it is about. */
  constructor(kind: "poll" | "short" | "push", denied?: Readonly<Record<string, string>>) {
    this.#once = kind !== "push";
    this.#short = kind === "short";
    this.#denied = denied;
    this.shared = !this.#once;
    this.slot = this.#once ? ANSWER_SLOT : PUSH_SLOT;
    if (this.#once) return;
    this.moved = (subs) => this.#encode(subs.map(whole), []);
    this.idle = this.#encode([], []);
  }

  first(parts: readonly Part[]): Buffer | undefined {
    const hasNews = this.#denied !== undefined || parts.some((part) => part.messages.length > 0 || !part.recovered);
    return hasNews || this.#short || !this.#once ? this.more(parts) : undefined;
  }

  more(parts: readonly Part[]): Buffer {
    return this.#encode(
      parts,
      parts.flatMap(({ sub, messages }) => messages.map((message) => messageJson(sub, message))),
    );
  }

  messages(sub: Sub, messages: readonly BusMessage[]): Buffer {
    const about = this.#once ? sub.stream.subs.map(whole) : [whole(sub)];
    return this.#encode(
      about,
      messages.map((message) => messageJson(sub, message)),
    );
  }

  reset(sub: Sub, { recent }: Reset): Buffer {
    const all = this.#once ? sub.stream.subs : [sub];
    return this.#encode(
      all.map((one) => ({ sub: one, recovered: one !== sub })),
      recent.map((message) => messageJson(sub, message)),
    );
  }

  last({ subs }: Stream): Buffer {
    return this.#encode(subs.map(whole), []);
  }

  /** Channels that were asked for on an open connection and may not be read. */
  refuse(denied: Readonly<Record<string, string>>): Buffer {
    this.#denied = denied;
    return this.#encode([], []);
  }

  #encode(about: readonly Told[], messages: readonly Buffer[]): Buffer {
    const channels = about.map(({ sub, recovered }) => {
      const { epoch, offset, feed } = sub;
      return `${JSON.stringify(feed.name)}:{"epoch":"${epoch}","offset":${offset},"recovered":${recovered}}`;
    });
    const denied = this.#denied === undefined ? "" : `"denied":${JSON.stringify(this.#denied)},`;
    this.#denied = undefined;
    const parts: Buffer[] = [Buffer.from(`{"channels":{${channels.join(",")}},${denied}"messages":[`)];
    for (const [index, message] of messages.entries()) parts.push(...(index === 0 ? [message] : [COMMA, message]));
    parts.push(END);
    return Buffer.concat(parts);
  }
}

const END = Buffer.from("]}");

function whole(sub: Sub): Told {
  return { sub, recovered: true };
}
