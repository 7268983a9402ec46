// How far each channel was heard: the last words of it that we know, in this process or, by the resume state, in another.

import { setNewest } from "../../runtime/newest.ts";
import type { Line } from "./line.ts";

export interface Mark {
  /** The server's id of the words; absent where it gives none, and before anything was said. */
  readonly id?: string;
  /** ms since 1970, by the server's clock where it tells. */
  readonly at: number;
}

const CHANNELS_MAX = 500;

export class Marks {
  readonly #marks = new Map<string, Mark>();

  constructor(data?: unknown) {
    if (typeof data !== "object" || data === null) return;
    for (const [channel, pair] of Object.entries(data)) {
      if (!Array.isArray(pair) || typeof pair[0] !== "number") continue;
      this.#marks.set(channel, typeof pair[1] === "string" ? { at: pair[0], id: pair[1] } : { at: pair[0] });
    }
  }

  get(channel: string): Mark | undefined {
    return this.#marks.get(channel);
  }

  note(channel: string, mark: Mark): void {
    setNewest(this.#marks, [channel, mark], CHANNELS_MAX);
  }

  /** As JSON: channel -> [at, id]. */
  toData(): Record<string, readonly (string | number)[]> {
    return Object.fromEntries(
      [...this.#marks].map(([channel, { at, id }]) => [channel, id === undefined ? [at] : [at, id]]),
    );
  }

  copy(): Marks {
    return new Marks(this.toData());
  }
}

/** When the server says it happened; else `now`. */
export function timeOf(line: Line, now: number): number {
  const at = Date.parse(line.tags.get("time") ?? "");
  return Number.isNaN(at) ? now : at;
}

export interface Missed {
  readonly lines: readonly Line[];
  /** Whether the history reaches back to the mark, so that nothing is missing between. */
  readonly complete: boolean;
}

/** Histories may cut times to whole seconds. */
const CUT_MS = 1_000;

/** What of a channel's history came after the mark. Without a mark nothing did: it is older than we are. */
export function missedSince(mark: Mark | undefined, lines: readonly Line[]): Missed {
  if (mark === undefined) return { lines: [], complete: true };
  const at = lines.findIndex((line) => mark.id !== undefined && line.tags.get("msgid") === mark.id);
  if (at >= 0) return { lines: lines.slice(at + 1), complete: true };
  const later = lines.filter((line) => timeOf(line, mark.at) > mark.at - CUT_MS);
  return { lines: later, complete: later.length < lines.length };
}
