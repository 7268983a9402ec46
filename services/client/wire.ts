// What travels between client and server: positions there, arrays of messages back, one array per chunk when it streams.

export interface WireMessage {
  readonly channel: string;
  readonly data: unknown;
  readonly global_id: number;
  readonly message_id: number;
}

/** Position by channel; what they mean: docs/authors/bus.md. */
export type Positions = Record<string, number>;

const SEPARATOR = "\r\n|\r\n";

/** The whole arrays in `text` from `from` on, and where the next one begins. */
export function arraysIn(text: string, from: number): { arrays: string[]; next: number } {
  const arrays: string[] = [];
  let next = from;
  for (let end = text.indexOf(SEPARATOR, next); end >= 0; end = text.indexOf(SEPARATOR, next)) {
    arrays.push(text.slice(next, end).replaceAll("\r\n||\r\n", SEPARATOR));
    next = end + SEPARATOR.length;
  }
  return { arrays, next };
}
