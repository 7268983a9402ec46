// A subscription as an iteration: messages wait until the loop takes them, a limited number of them.

export interface Message<T = unknown> {
  readonly data: T;
  readonly globalId: number;
  readonly messageId: number;
}

export interface SubscribeOptions {
  /** After which message; -1 = what comes from now on, -2 = the newest one too, -3 = the newest two, … */
  readonly lastId?: number;
  /** Ends the subscription. */
  readonly signal?: AbortSignal;
}

type Take<T> = (data: T, globalId: number, messageId: number) => void;

/** A loop that does not read keeps so many; then it ends with an error. */
const UNREAD_MAX = 1_000;

export async function* iterate<T>(
  subscribe: (take: Take<T>, options: SubscribeOptions) => unknown,
  { signal, ...options }: SubscribeOptions,
): AsyncGenerator<Message<T>, void> {
  const unread: Message<T>[] = [];
  const end = new AbortController();
  let wake = (): void => {};
  signal?.addEventListener("abort", () => wake(), { signal: end.signal });
  const take: Take<T> = (data, globalId, messageId) => {
    if (unread.push({ data, globalId, messageId }) > UNREAD_MAX) end.abort();
    wake();
  };
  subscribe(take, { ...options, signal: end.signal });
  try {
    for (;;) {
      if (signal?.aborted) return;
      const message = unread.shift();
      if (end.signal.aborted) throw new Error(`More than ${UNREAD_MAX} messages were not read.`);
      if (message) yield message;
      else await new Promise<void>((done) => (wake = done));
    }
  } finally {
    end.abort();
  }
}
