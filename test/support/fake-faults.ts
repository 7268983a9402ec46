// What can be made to go wrong in the fake chat service.

/** Set these at any time. */
export interface Faults {
  /** Before an Action is looked at. */
  delayMs: number;
  /** Rooms that answer "too many", how long they say to wait, and which bucket they name; their own when left out. */
  limited: Map<string, { readonly retryAfterMs: number; readonly scope?: string }>;
  /** Before a hello is looked at. */
  helloMs: number;
  /** The only one with which a hello is not refused. */
  token: string | undefined;
  /** So many Actions are done, but the connection is cut instead of an answer. */
  cutAfterDoing: number;
  /** So many Actions are done, and no answer ever comes. */
  silentAfterDoing: number;
  /** So many Actions are not done: the connection is cut. */
  cutBeforeDoing: number;
}

export function noFaults(): Faults {
  return {
    delayMs: 0,
    limited: new Map(),
    helloMs: 0,
    token: undefined,
    cutAfterDoing: 0,
    silentAfterDoing: 0,
    cutBeforeDoing: 0,
  };
}
