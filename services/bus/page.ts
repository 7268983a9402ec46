// What a reader gets of one channel at once, and where it stands then. Pages follow each other until the reader is where
// the channel is.

import type { Backend } from "./backend.ts";
import { isTrimmed } from "./backlog.ts";
import type { BusMessage } from "./message.ts";
import type { From, Position } from "./position.ts";

export interface Page {
  readonly messages: readonly BusMessage[];
  /** Where the reader stands behind them. */
  readonly at: Position;
  /** False: what followed its position cannot be told completely. */
  readonly recovered: boolean;
  /** The reader is to be told where it stands now. */
  readonly tell: boolean;
  /** There is more to read. */
  readonly more: boolean;
}

export const PAGE = { messages: 300, bytes: 1024 * 1024 } as const;

/** `recent`: how many of the newest messages a reader gets that cannot be brought up to date. */
export interface PageRequest {
  readonly channel: string;
  readonly from: From;
  readonly recent: number;
}

export async function readPage(backend: Backend, { channel, from, recent }: PageRequest): Promise<Page> {
  if (from.kind === "now") {
    const [at] = await backend.heads([channel]);
    return { ...whole({ head: at as Position, messages: [] }), tell: from.tell === true };
  }
  if (from.kind === "recent") return newest(backend, channel, from.count);
  const { head, messages } = await backend.after(channel, from.offset, PAGE.messages);
  const ahead = head.offset < from.offset;
  const otherEpoch = from.epoch !== undefined && from.epoch !== "" && head.epoch !== from.epoch;
  if (ahead || otherEpoch) {
    // Who knows no epochs is told where the channel stands; who does gets its newest part.
    if (from.epoch === undefined) return { ...whole({ head, messages: [] }), recovered: false, tell: true };
    return { ...(await newest(backend, channel, recent)), recovered: false };
  }
  const next = messages[0]?.offset ?? head.offset;
  const hole = from.offset === 0 ? isTrimmed(head, messages) : next > from.offset + (messages.length > 0 ? 1 : 0);
  if (hole && from.epoch !== undefined) {
    return { ...(await newest(backend, channel, recent)), recovered: false };
  }
  return { ...cut({ head, messages }), recovered: !hole };
}

async function newest(backend: Backend, channel: string, count: number): Promise<Page> {
  const { head, messages } = await backend.recent(channel, Math.max(1, Math.min(count, PAGE.messages)));
  return whole({ head, messages: count === 0 ? [] : fitting(messages) });
}

interface Read {
  readonly head: Position;
  readonly messages: readonly BusMessage[];
}

function whole({ head, messages }: Read): Page {
  return { messages, at: head, recovered: true, tell: false, more: false };
}

/** The oldest of them that fit on a page. */
function cut({ head, messages }: Read): Page {
  let bytes = 0;
  let count = 0;
  while (count < messages.length) {
    bytes += messages[count]?.data.byteLength ?? 0;
    if (bytes > PAGE.bytes && count > 0) break;
    count++;
  }
  const last = messages[count - 1];
  const more = last !== undefined && last.offset < head.offset;
  const at = more ? { epoch: last.epoch, offset: last.offset } : head;
  return { messages: messages.slice(0, count), at, recovered: true, tell: false, more };
}

/** The newest of them that fit on a page. */
function fitting(messages: readonly BusMessage[]): readonly BusMessage[] {
  let bytes = 0;
  let first = messages.length;
  while (first > 0 && (bytes += messages[first - 1]?.data.byteLength ?? 0) <= PAGE.bytes) first--;
  return messages.slice(Math.min(first, messages.length - 1));
}
