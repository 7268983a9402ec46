// The face for code of this process: a function per channel, called in order. It sees everything, whoever it is for.

import type { Bus } from "./bus.ts";
import { readerName, siteOf } from "./channel.ts";
import { type Face, newSlot, type Part, type Reset } from "./face.ts";
import type { BusMessage } from "./message.ts";
import type { From, Position } from "./position.ts";
import type { Stream, Sub } from "./stream.ts";
import type { Targets } from "./targets.ts";

/** A message as functions of this process get it. */
export interface Heard extends Position {
  readonly channel: string;
  readonly site: string | undefined;
  readonly data: unknown;
  /** The channel's own number of the message; grows, and never restarts. */
  readonly id: number;
  /** Its number among all messages; equal to `id` unless the bus has a global index. */
  readonly globalId: number;
  readonly targets: Targets | undefined;
}

export type Listener = (message: Heard) => void;

export interface Listening {
  readonly channel: string;
  readonly listener: Listener;
  readonly from: From;
  /** Something was missed for good; what is newest of it follows. */
  readonly onGap?: ((head: Position) => void) | undefined;
}

const SLOT = newSlot();
const NOTHING = Buffer.alloc(0);
const OURS = { client: undefined, user: undefined, groups: [], isOurs: true } as const;

export interface LocalOptions {
  readonly decode: (text: string) => unknown;
  /** A function threw: it is told, and the next message comes. */
  readonly onError: (channel: string, error: unknown) => void;
}

/** Resolves when every message from now on will be heard. */
export async function listen(bus: Bus, listening: Listening, options: LocalOptions): Promise<Stream> {
  const { channel, from } = listening;
  const face = new LocalFace(listening, options);
  const conn = { bytesQueued: 0, send: () => {}, close: () => {} };
  return bus.attach({ wants: [{ channel, from }], conn, face, reader: OURS, recent: RECENT_AFTER_GAP });
}

const RECENT_AFTER_GAP = 50;

class LocalFace implements Face {
  readonly slot = SLOT;
  readonly shared = false;
  readonly #listening: Listening;
  readonly #options: LocalOptions;

  constructor(listening: Listening, options: LocalOptions) {
    this.#listening = listening;
    this.#options = options;
  }

  first(parts: readonly Part[]): undefined {
    for (const { sub, recovered, at, messages } of parts) {
      if (!recovered) this.#listening.onGap?.(at);
      this.messages(sub, messages);
    }
  }

  more(parts: readonly Part[]): undefined {
    this.first(parts);
  }

  messages(sub: Sub, messages: readonly BusMessage[]): Buffer {
    for (const message of messages) this.#call(heard(sub.feed.channel, message, this.#options.decode));
    return NOTHING;
  }

  reset(sub: Sub, { head, fresh }: Reset): undefined {
    this.#listening.onGap?.(head);
    this.messages(sub, fresh);
  }

  #call(message: Heard): void {
    try {
      this.#listening.listener(message);
    } catch (error) {
      this.#options.onError(message.channel, error);
    }
  }
}

export function heard(stored: string, message: BusMessage, decode: (text: string) => unknown): Heard {
  const { epoch, offset, globalOffset, data, targets } = message;
  return {
    channel: readerName(stored),
    site: siteOf(stored),
    data: decode(data.toString("utf8")),
    id: offset,
    globalId: globalOffset || offset,
    epoch,
    offset,
    targets,
  };
}
