// The history of a queue: what became of its latest deliveries, capped by number and age.

import { type BrokerContext, translate } from "./connection.ts";

export interface HistoryLine {
  /** When it was written, ms since 1970 by the server's clock. */
  readonly atMs: number;
  /** The wid of the worker that settled it. */
  readonly worker: string;
  /** One line as the settlement had it. */
  readonly text: string;
}

/** Redis sends at most so many chunks at a time, each of one settle. */
const CHUNKS = 100;

/** The newest first, at most `limit`. */
export async function readHistory(context: BrokerContext, queue: string, limit: number): Promise<HistoryLine[]> {
  const list = `${context.keys.queue(queue)}:h`;
  const found: HistoryLine[] = [];
  try {
    for (let at = 0; found.length < limit; at += 2 * CHUNKS) {
      const chunks = await context.client.lrange(list, at, at + 2 * CHUNKS - 1);
      for (let n = 0; n + 1 < chunks.length; n += 2) found.push(...linesOf(chunks[n] ?? "", chunks[n + 1] ?? ""));
      if (chunks.length < 2 * CHUNKS) break;
    }
    return found.slice(0, limit);
  } catch (error) {
    throw translate(error);
  }
}

/** `head` is `<lines> <ms> <wid>`; the last line of a chunk is the newest. */
function linesOf(head: string, chunk: string): HistoryLine[] {
  const [, at, ...worker] = head.split(" ");
  return chunk
    .split("\n")
    .map((text) => ({ atMs: Number(at), worker: worker.join(" "), text }))
    .toReversed();
}
