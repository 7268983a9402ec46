// The threads of one pool: started, replaced when one died, and replaced in good time when one is worn out.
//
//   starting ─▶ present ─died─▶ gone ─pause─▶ starting …
//                  │ worn: its successor starts; when that is ready,
//                  └─▶ leaving: gets no more runs, finishes what it has, teardown, gone

import { backoffMs } from "../runtime/backoff.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Emit } from "../telemetry/events.ts";
import { Lane, type LaneEvents, type Wear } from "./lane.ts";
import type { ThreadData } from "./protocol.ts";
import type { Spawn } from "./threads.ts";

/** A thread that lived this long died for another reason than the one before it. */
const SETTLED_MS = 60_000;
const REPLACE_BACKOFF = { firstMs: 100, maxMs: 10_000 };
const TEARDOWN_MS = 3000;
/** After a successor that did not start. */
const AGAIN_MS = 30_000;

export interface LanesOptions {
  /** One for each thread. */
  readonly threads: readonly ThreadData[];
  readonly spawn: Spawn;
  readonly events: LaneEvents;
  readonly wear: Wear;
  readonly emit: Emit;
  readonly clock: Clock;
  readonly random: Random;
}

/** One at a time. */
interface Change {
  readonly at: number;
  readonly reason: "jobs" | "heap";
  readonly successor: Lane;
}

export class Lanes {
  readonly #options: LanesOptions;
  readonly #present: (Lane | undefined)[] = [];
  readonly #startedAtMs: number[] = [];
  readonly #deaths: number[] = [];
  readonly #stop = new AbortController();
  #change: Change | undefined;
  #leaving: Lane | undefined;
  #notBeforeMs = 0;

  constructor(options: LanesOptions) {
    this.#options = options;
  }

  /** By place; undefined where one died and its successor has not begun to start. */
  get present(): readonly (Lane | undefined)[] {
    return this.#present;
  }

  /** All that runs may be in. */
  get all(): Lane[] {
    const present = this.#present.filter((lane) => lane !== undefined);
    return this.#leaving === undefined ? present : [...present, this.#leaving];
  }

  start(): void {
    for (const at of this.#options.threads.keys()) this.#begin(at);
  }

  /** A start that failed: ends what has started, and nothing is replaced. */
  abandon(reason: string): void {
    this.#stop.abort();
    for (const lane of this.#present) lane?.end(reason);
  }

  /** Teardown in every thread, then their end. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stop.abort();
    const all = this.#change === undefined ? this.all : [...this.all, this.#change.successor];
    await Promise.all(all.map((lane) => lane.stop(deadlineMs)));
  }

  ready(lane: Lane): void {
    const { at, reason, successor } = this.#change ?? {};
    if (at === undefined || lane !== successor) return;
    const old = this.#present[at];
    this.#change = undefined;
    this.#present[at] = lane;
    this.#leaving = old;
    old?.retire();
    this.#options.emit("thread.recycled", { thread: lane.index, kind: lane.kind, reason: reason ?? "jobs" });
  }

  /** `isFinal`: it will not be replaced. */
  gone(lane: Lane, { reason, deliveries, isFinal }: { reason: string; deliveries: number; isFinal: boolean }): void {
    const isExpected = lane === this.#leaving && deliveries === 0;
    if (!this.#stop.signal.aborted && !isExpected)
      this.#options.emit("thread.ended", { thread: lane.index, reason, deliveries });
    if (lane === this.#leaving) this.#leaving = undefined;
    const at = lane === this.#change?.successor ? this.#failedChange(this.#change) : this.#present.indexOf(lane);
    if (this.#present[at] === lane) this.#present[at] = undefined;
    // Where its successor starts already, that takes its place.
    const isVacant = at >= 0 && this.#present[at] === undefined && this.#change?.at !== at;
    if (isVacant && !isFinal && !this.#stop.signal.aborted) void this.#replace(at);
  }

  /** Replaces what is worn out, and lets go of what has finished. */
  sweep(): void {
    for (const lane of this.all) lane.sweep();
    if (this.#stop.signal.aborted) return;
    if (this.#leaving?.isDone) void this.#leaving.stop(TEARDOWN_MS);
    const { clock } = this.#options;
    if (this.#change !== undefined || this.#leaving !== undefined || clock.monotonic() < this.#notBeforeMs) return;
    for (const [at, lane] of this.#present.entries()) {
      const reason = lane?.wornBy(this.#options.wear);
      if (reason === undefined) continue;
      this.#change = { at, reason, successor: this.#spawn(at) };
      return;
    }
  }

  #failedChange({ at }: Change): number {
    this.#change = undefined;
    this.#notBeforeMs = this.#options.clock.monotonic() + AGAIN_MS;
    return at;
  }

  #begin(at: number): void {
    this.#startedAtMs[at] = this.#options.clock.monotonic();
    this.#present[at] = this.#spawn(at);
  }

  #spawn(at: number): Lane {
    const { threads, spawn, clock, events, wear } = this.#options;
    return new Lane({ data: fresh(threads[at] as ThreadData), spawn, events, clock, heapMb: wear.heapMb });
  }

  async #replace(at: number): Promise<void> {
    const { clock, random } = this.#options;
    const lived = clock.monotonic() - (this.#startedAtMs[at] ?? 0);
    const deaths = lived >= SETTLED_MS ? 0 : (this.#deaths[at] ?? 0);
    this.#deaths[at] = deaths + 1;
    if (deaths > 0) await clock.sleep(backoffMs(deaths - 1, REPLACE_BACKOFF, random), this.#stop.signal);
    if (!this.#stop.signal.aborted) this.#begin(at);
  }
}

/** A dead thread's marks must not be seen in its successor. */
function fresh(data: ThreadData): ThreadData {
  return { ...data, slotMemory: new SharedArrayBuffer(data.slotMemory.byteLength) };
}
