// Reads what a channel keeps: what follows a position, or the newest few; and says when something is missing in between.

import type { Backend } from "./backend.ts";
import type { BusMessage } from "./message.ts";
import type { Head, Position } from "./position.ts";

export interface Backlog {
  /** False: what follows the position cannot be told any more (another epoch, trimmed, lost). Never a silent hole. */
  readonly recovered: boolean;
  /** Oldest first. */
  readonly messages: readonly BusMessage[];
  readonly head: Position;
}

/** The first `limit` messages after `after`; there are more if the last of them is not the head. */
export async function readAfter(
  backend: Backend,
  channel: string,
  { after, limit }: { after: Position; limit: number },
): Promise<Backlog> {
  const { head, messages } = await backend.after(channel, after.offset, limit);
  const sameEpoch = head.epoch === after.epoch;
  if (sameEpoch && head.offset === after.offset) return { recovered: true, messages: [], head };
  const fromNowhere = after.epoch === "" && !isTrimmed(head, messages);
  const recovered = fromNowhere || (sameEpoch && messages[0]?.offset === after.offset + 1);
  return { recovered, messages: recovered ? messages : [], head };
}

/** The first message of the epoch is gone: whoever read nothing of the channel yet misses something. */
export function isTrimmed({ first, offset }: Head, messages: readonly BusMessage[]): boolean {
  return first !== undefined && (messages[0]?.offset ?? offset + 1) > first;
}
