// One error tracker: sends reports one after another, in its own time. A tracker that is slow, away or full of reports holds
// up nobody: what does not fit into its queue is dropped, counted and told.

import { backoffMs } from "../runtime/backoff.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Emit } from "./events.ts";
import type { Report } from "./report.ts";
import type { Answer, Transport } from "./transport.ts";

export interface TrackerOptions {
  readonly transport: Transport;
  readonly emit: Emit;
  readonly clock: Clock;
  readonly random: Random;
}

const WAITING_MAX = 100;
const TRIES = 3;
const RETRY = { firstMs: 500, maxMs: 5_000 };
const TELL_MS = 60_000;

export class Tracker {
  readonly #options: TrackerOptions;
  #waiting: Report[] = [];
  #sending: Promise<void> | undefined;
  #closing = new AbortController();
  #dropped = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: TrackerOptions) {
    this.#options = options;
  }

  /** No secret. */
  get name(): string {
    return this.#options.transport.name;
  }

  report(report: Report): void {
    if (this.#closing.signal.aborted) return;
    if (this.#waiting.length >= WAITING_MAX) this.#drop(1, "too many reports wait to be sent");
    else this.#waiting.push(report);
    this.#sending ??= this.#send().finally(() => (this.#sending = undefined));
  }

  /** Lets what waits be sent, for so long. */
  async close(deadlineMs: number): Promise<void> {
    const { clock } = this.#options;
    if (this.#sending !== undefined) await Promise.race([this.#sending, clock.sleep(deadlineMs)]);
    this.#closing.abort();
    await this.#sending;
    await this.#options.transport.close?.();
  }

  async #send(): Promise<void> {
    for (let report = this.#waiting.shift(); report !== undefined; report = this.#waiting.shift()) {
      if (this.#closing.signal.aborted) return;
      await this.#deliver(report);
    }
  }

  async #deliver(report: Report): Promise<void> {
    const { clock, random, transport } = this.#options;
    const { signal } = this.#closing;
    for (let attempt = 0; attempt < TRIES && !signal.aborted; attempt++) {
      const answer = await transport.send(report, signal).catch(failedAnswer);
      if (answer.isTaken) return;
      const isLast = attempt + 1 === TRIES || !answer.mayPass;
      if (isLast) this.#drop(1, answer.problem);
      await clock.sleep(answer.pauseMs ?? (isLast ? 0 : backoffMs(attempt, RETRY, random)), signal);
      if (isLast) return;
    }
  }

  /** Told now and then, and to nobody but the log: a tracker's trouble is no report. */
  #drop(count: number, problem: string): void {
    const { emit, clock } = this.#options;
    this.#dropped += count;
    emit("report.dropped", { tracker: this.name });
    if (clock.monotonic() - this.#toldAt < TELL_MS) return;
    this.#toldAt = clock.monotonic();
    emit("tracker.dropped", { tracker: this.name, reports: this.#dropped, problem });
    this.#dropped = 0;
  }
}

/** It could not even be written down. */
function failedAnswer(error: unknown): Answer {
  return { isTaken: false, problem: error instanceof Error ? error.message : String(error), mayPass: false };
}
