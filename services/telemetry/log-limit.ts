// Bounds what handlers log: so many lines a second of each route, and no line longer than it may be. What is left out is counted,
// and told once a second at most; a route that shouts harms neither its thread nor whoever reads the log.

import type { Clock } from "../runtime/clock.ts";
import { setNewest } from "../runtime/newest.ts";
import type { Emit, EventFields, Level } from "./events.ts";

export interface LogLimits {
  /** Of one route in one thread. */
  readonly linesPerSecond: number;
  /** What is less important is not logged, and not counted here. */
  readonly level: Level;
  readonly clock: Pick<Clock, "monotonic" | "sleep">;
}

interface Bucket {
  lines: number;
  filledAtMs: number;
  dropped: number;
}

const ROUTES_MAX = 1_000;
const TELL_MS = 1_000;
export const TEXT_CHARS_MAX = 8_192;
const RANKS: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** An `Emit` that passes on everything but what is too much of `ctx.log`. */
export function limitedLogs(emit: Emit, limits: LogLimits): Emit {
  const gate = new LogGate(emit, limits);
  return (name, fields) => {
    if (name !== "log") return emit(name, fields);
    const line = fields as EventFields["log"];
    if (line.route === undefined) return emit("log", line);
    if (RANKS[line.level] < RANKS[limits.level] || !gate.passes(line.route)) return;
    emit(
      "log",
      line.text.length > TEXT_CHARS_MAX ? { ...line, text: `${line.text.slice(0, TEXT_CHARS_MAX)} …` } : line,
    );
  };
}

class LogGate {
  readonly #emit: Emit;
  readonly #limits: LogLimits;
  readonly #buckets = new Map<string, Bucket>();
  #isTelling = false;

  constructor(emit: Emit, limits: LogLimits) {
    this.#emit = emit;
    this.#limits = limits;
  }

  passes(route: string): boolean {
    const { linesPerSecond, clock } = this.#limits;
    const now = clock.monotonic();
    const bucket = this.#buckets.get(route) ?? this.#begin(route, now);
    const gained = ((now - bucket.filledAtMs) / 1000) * linesPerSecond;
    bucket.lines = Math.min(linesPerSecond, bucket.lines + gained);
    bucket.filledAtMs = now;
    if (bucket.lines >= 1) {
      bucket.lines--;
      return true;
    }
    bucket.dropped++;
    if (!this.#isTelling) {
      this.#isTelling = true;
      void clock.sleep(TELL_MS).then(() => this.#tell());
    }
    return false;
  }

  #begin(route: string, now: number): Bucket {
    const bucket = { lines: this.#limits.linesPerSecond, filledAtMs: now, dropped: 0 };
    setNewest(this.#buckets, [route, bucket], ROUTES_MAX);
    return bucket;
  }

  #tell(): void {
    this.#isTelling = false;
    for (const [route, bucket] of this.#buckets) {
      if (bucket.dropped > 0) this.#emit("log.dropped", { route, lines: bucket.dropped });
      bucket.dropped = 0;
    }
  }
}
