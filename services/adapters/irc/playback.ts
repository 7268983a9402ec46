// History that a server plays: at a join by itself (`+H`, a bouncer) or because we asked (CHATHISTORY), in batches.

import type { Line } from "./line.ts";

export interface Played {
  readonly channel: string;
  readonly lines: readonly Line[];
  /** Of the question that it answers. */
  readonly label: string | undefined;
}

interface Batch extends Played {
  readonly lines: Line[];
}

const TYPES: ReadonlySet<string> = new Set(["chathistory", "draft/chathistory", "znc.in/playback"]);
const BATCHES_MAX = 100;
/** Of one batch; the oldest are dropped, which the marks then tell. */
const LINES_MAX = 1_000;

export class Playback {
  readonly #batches = new Map<string, Batch>();

  /** "held": part of a history; the whole of it with its last line; undefined: none of its business. */
  heard(line: Line): "held" | Played | undefined {
    if (line.command === "BATCH") return this.#mark(line);
    const batch = this.#batches.get(line.tags.get("batch") ?? "");
    if (!batch) return undefined;
    batch.lines.push(line);
    if (batch.lines.length > LINES_MAX) batch.lines.shift();
    return "held";
  }

  #mark({ params, tags }: Line): "held" | Played | undefined {
    const [reference = "", type = "", channel = ""] = params;
    const name = reference.slice(1);
    if (reference.startsWith("+") && TYPES.has(type) && this.#batches.size < BATCHES_MAX) {
      this.#batches.set(name, { channel, lines: [], label: tags.get("label") });
      return "held";
    }
    const batch = this.#batches.get(name);
    if (!reference.startsWith("-") || !batch) return undefined;
    this.#batches.delete(name);
    return batch;
  }
}
