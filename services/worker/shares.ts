// How handler threads and slots are shared between chat and everything else, so that no webhook can delay a `ping`.

import type { WorkKind } from "./queue-choice.ts";

/** Slots of each thread. A kind that is not served has no threads. */
export type Shares = Readonly<Record<WorkKind, readonly number[]>>;

export interface Sharing {
  readonly threads: number;
  readonly concurrency: number;
  readonly kinds: ReadonlySet<WorkKind>;
}

const CHAT_SLOTS_MIN = 4;

/** A quarter for chat, at least one thread and four slots; the rest for work. Where only one is served, all of it. */
export function sharesOf({ threads, concurrency, kinds }: Sharing): Shares {
  if (!kinds.has("chat")) return { chat: [], work: spread(concurrency, threads) };
  if (!kinds.has("work")) return { chat: spread(concurrency, threads), work: [] };
  const chatThreads = Math.max(1, Math.floor(threads / 4));
  const chatSlots = Math.max(CHAT_SLOTS_MIN, Math.floor(concurrency / 4));
  return {
    chat: spread(chatSlots, chatThreads),
    work: spread(Math.max(1, concurrency - chatSlots), Math.max(1, threads - chatThreads)),
  };
}

/** As even as it goes; no thread is without a slot. */
function spread(slots: number, threads: number): number[] {
  const most = Math.ceil(slots / threads);
  return Array.from({ length: threads }, (_, index) => {
    const left = slots - index * most;
    return Math.max(1, Math.min(most, left));
  });
}
