// How handler threads and slots are shared between chat and everything else, so that no webhook can delay a `ping`.

export interface Shares {
  /** Slots of each thread. */
  readonly chat: readonly number[];
  readonly work: readonly number[];
}

const CHAT_SLOTS_MIN = 4;

/** A quarter for chat, at least one thread and four slots; the rest for work. */
export function sharesOf(threads: number, concurrency: number): Shares {
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
