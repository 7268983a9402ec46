// Where a reader stands in a channel: (epoch, offset). Inside one epoch offsets grow by one; across epochs nothing is
// promised but that the later one has the higher offsets.

export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** Where a channel stands. */
export interface Head extends Position {
  /** The first offset of its epoch; undefined where that is not known. */
  readonly first?: number | undefined;
}

/** Where a channel stands that nobody has published on: before everything. */
export const NOWHERE: Head = { epoch: "", offset: 0 };

/**
 * From where a reader wants a channel: from now on; what follows a position, or an offset where the reader knows no epochs;
 * the newest few.
 */
export type From =
  | { readonly kind: "now"; /** The reader is to be told where that is. */ readonly tell?: boolean }
  | { readonly kind: "after"; readonly offset: number; readonly epoch?: string | undefined }
  | { readonly kind: "recent"; readonly count: number };

/** As clients carry it: `<epoch>:<offset>`. */
export function positionText(position: Position): string {
  return `${position.epoch}:${position.offset}`;
}

/** The reverse of `positionText`; undefined when the text is none. */
export function parsePosition(text: string): Position | undefined {
  const match = /^([A-Za-z0-9_-]{1,64}):(\d{1,16})$/.exec(text);
  const offset = Number(match?.[2]);
  return match && Number.isSafeInteger(offset) ? { epoch: match[1] as string, offset } : undefined;
}
