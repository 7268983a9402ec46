// What a web chat session shows: lines on the bus channel of the session. Whoever writes a line (a person's intake, a
// run's settle) composes it here, so that all of them look the same to the page.

/** One line, or a later text of an earlier one: then `edited` is set and `ref` names the line that it replaces. */
export interface WebLine {
  /** Of this line or edit; a reader that sees it twice shows it once. */
  readonly id: string;
  /** Of the line; the same in all its edits. What a handler gets from `reply` and gives to `edit`. */
  readonly ref: string;
  /** The name of the person or bot. */
  readonly from: string;
  readonly text: string;
  /** ISO 8601. */
  readonly at: string;
  readonly edited?: true;
}

const SESSION = /^[A-Za-z0-9_-]{1,64}$/;

/** Whether a text can name a session: letters, digits, `_` and `-`, at most 64. */
export function isSession(text: string): boolean {
  return SESSION.test(text);
}

/** The bus channel of a session. */
export function channelOf(session: string): string {
  return `/chat/${session}`;
}

/** A session is a room. */
export function roomOf(session: string): string {
  return `web:${session}`;
}

/** As it is published on the session's channel; the data of the page's event is the same text. */
export function encodeLine(line: WebLine): Buffer {
  return Buffer.from(JSON.stringify(line));
}
