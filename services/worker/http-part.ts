// The HTTP thread as a part of the worker: starts it, tells it of the drain, stops it, says when it died.

import { Worker } from "node:worker_threads";
import { type Part, withDeadline } from "../runtime/part.ts";
import type { Change } from "../telemetry/meter.ts";
import type { Report } from "../telemetry/report.ts";
import type { FromHttpThread, HttpThreadData, ToHttpThread } from "./http-protocol.ts";
import { refusal } from "./refusal.ts";
import { entryUrl } from "./threads.ts";

const STOP_MS = 2500;
/**
 * V8 collects a heap that may not grow beyond 2 GB several times as often, and a young generation too small for the
 * requests in flight copies all of them each time: with 256 and 8 a webhook of 71 KB cost twice the CPU time.
 */
const LIMITS = { maxOldGenerationSizeMb: 2048, maxYoungGenerationSizeMb: 24 };

export interface HttpEars {
  /** It ended although nobody stopped it; without HTTP a worker is of no use. */
  readonly died: (error: Error) => void;
  readonly report?: ((report: Report) => void) | undefined;
}

export class HttpPart implements Part {
  readonly name = "HTTP thread";
  readonly #data: HttpThreadData;
  readonly #heard: HttpEars;
  #worker: Worker | undefined;
  #ports: { httpPort: number; adminPort: number } | undefined;
  #onStopped: (() => void) | undefined;
  #failure: Error | undefined;
  #stopping = false;
  #heapBytes: number | undefined;

  constructor(data: HttpThreadData, heard: HttpEars) {
    this.#data = data;
    this.#heard = heard;
  }

  /** Known once it has started. */
  get ports(): { readonly httpPort: number; readonly adminPort: number } | undefined {
    return this.#ports;
  }

  /** Resolves when both servers listen. */
  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const worker = new Worker(entryUrl("http-thread"), {
        workerData: this.#data,
        name: "http",
        resourceLimits: LIMITS,
      });
      this.#worker = worker;
      worker.on("message", (message: FromHttpThread) => {
        if (message.type === "listening") {
          this.#ports = message;
          resolve();
        } else if (message.type === "report") this.#heard.report?.(message.report);
        else if (message.type === "unfit") reject(refusal(message.code, message.message));
      });
      worker.on("error", (error) => (this.#failure = error instanceof Error ? error : new Error(String(error))));
      worker.on("exit", (code) => {
        const error = this.#failure ?? new Error(`The HTTP thread ended with exit code ${code}.`);
        reject(error);
        this.#worker = undefined;
        this.#onStopped?.();
        if (!this.#stopping && this.#ports !== undefined) this.#heard.died(error);
      });
    }).catch(async (error: unknown) => {
      await this.#end();
      throw error;
    });
  }

  /** The worker drains: it goes on serving. */
  drain(): void {
    this.#post({ type: "drain" });
  }

  /** As it was measured when this was asked last, with its garbage. */
  glanceHeap(): number | undefined {
    this.#worker?.getHeapStatistics().then(
      ({ used_heap_size: heap, external_memory: buffers }) => (this.#heapBytes = heap + buffers),
      () => {}, // it has ended
    );
    return this.#heapBytes;
  }

  /** For /metrics. */
  measured(changes: readonly Change[]): void {
    this.#post({ type: "measured", changes });
  }

  async stop(deadlineMs: number): Promise<void> {
    if (this.#worker === undefined) return;
    this.#stopping = true;
    const limitMs = Math.min(deadlineMs, STOP_MS);
    const stopped = new Promise<void>((resolve) => (this.#onStopped = resolve));
    this.#post({ type: "stop", deadlineMs: limitMs });
    await withDeadline(stopped, limitMs, this.name).catch(() => this.#end());
  }

  #post(message: ToHttpThread): void {
    this.#worker?.postMessage(message);
  }

  async #end(): Promise<void> {
    this.#stopping = true;
    await this.#worker?.terminate();
  }
}
