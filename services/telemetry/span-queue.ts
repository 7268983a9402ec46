// Finished spans on their way out: at most so many wait, they go in batches, and what does not fit or is not taken is dropped,
// counted and told.

import type { ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace";
import type { Clock } from "../runtime/clock.ts";
import type { Emit } from "./events.ts";
import type { OtlpSender } from "./otlp.ts";

export interface SpanQueueOptions {
  readonly sender: Pick<OtlpSender, "to" | "send" | "end">;
  readonly serialize: (spans: ReadableSpan[]) => Uint8Array | undefined;
  readonly emit: Emit;
  readonly clock: Clock;
}

export const SPANS_WAITING_MAX = 2048;
const BATCH_MAX = 512;
/** What ends within this time goes together. */
const GATHER_MS = 1_000;
const TELL_MS = 60_000;
/** Every thread of a process has its own queue, and main waits for its threads before it closes its own. */
const CLOSE_MS = 1_500;

export class SpanQueue implements SpanProcessor {
  readonly #options: SpanQueueOptions;
  readonly #closing = new AbortController();
  #full = new AbortController();
  #waiting: ReadableSpan[] = [];
  #sending: Promise<void> | undefined;
  #dropped = 0;
  #problem = "";
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: SpanQueueOptions) {
    this.#options = options;
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if ((span.spanContext().traceFlags & 1) === 0) return;
    if (this.#closing.signal.aborted) return this.#drop(1, "the process ends");
    if (this.#waiting.length >= SPANS_WAITING_MAX) return this.#drop(1, "too many spans wait to be sent");
    this.#waiting.push(span);
    if (this.#waiting.length === BATCH_MAX) this.#full.abort();
    this.#sending ??= this.#send().finally(() => (this.#sending = undefined));
  }

  async forceFlush(): Promise<void> {
    this.#full.abort();
    await this.#sending;
  }

  /** Lets what waits be sent, for a moment; what is left is dropped. */
  async shutdown(): Promise<void> {
    const { clock, sender } = this.#options;
    this.#closing.abort();
    this.#full.abort();
    const sent = new AbortController();
    const late = clock.sleep(CLOSE_MS, sent.signal);
    await Promise.race([this.#sending?.then(() => sent.abort()), late]);
    sent.abort();
    sender.end();
    await this.#sending;
    this.#tell();
  }

  async #send(): Promise<void> {
    const { clock, sender, serialize } = this.#options;
    while (this.#waiting.length > 0) {
      if (this.#waiting.length < BATCH_MAX) await clock.sleep(GATHER_MS, this.#full.signal);
      if (!this.#closing.signal.aborted) this.#full = new AbortController();
      const batch = this.#waiting.splice(0, BATCH_MAX);
      const body = serialize(batch);
      const problem = body === undefined ? "they cannot be written as OTLP" : await sender.send(body);
      if (problem !== undefined) this.#drop(batch.length, problem);
    }
  }

  #drop(spans: number, problem: string): void {
    this.#dropped += spans;
    this.#problem = problem;
    const { clock } = this.#options;
    if (clock.monotonic() - this.#toldAt < TELL_MS) return;
    this.#toldAt = clock.monotonic();
    this.#tell();
  }

  #tell(): void {
    if (this.#dropped === 0) return;
    const { emit, sender } = this.#options;
    emit("traces.dropped", { to: sender.to, spans: this.#dropped, problem: this.#problem });
    this.#dropped = 0;
  }
}
