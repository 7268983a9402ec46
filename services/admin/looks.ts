// Looks into this process, for whoever may: its threads, what one spends its time on, what is in the memory of one. One at a time.

import { Readable } from "node:stream";
import { isMainThread } from "node:worker_threads";
import { hostname } from "node:os";
import { mastersOf } from "../leader/masters.ts";
import { seats } from "../leader/seats.ts";
import type { RedisClient } from "../redis/connect.ts";
import type { Keys } from "../redis/keys.ts";
import type { Clock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { inspect, type ThreadRow, threadsOf } from "./inspection.ts";

const SAMPLE_US = 1_000;
const LEADS =
  "This master leads, and is ended where it stands still for too long: ask another one, or say anyway=true.";
const READ_MS = 300_000;
/** Of a snapshot whose reader is slower than its maker. */
const WAITING_BYTES_MAX = 512 * 1024 ** 2;

export interface LooksOptions {
  readonly client: RedisClient;
  readonly keys: Keys;
  /** A master that was not heard of for so long is gone. */
  readonly leaseMs: number;
  readonly clock: Clock;
}

export interface ProfileWanted {
  readonly thread: string;
  readonly seconds: number;
  /** Whoever asked has gone. */
  readonly gone: AbortSignal;
}

export interface SnapshotWanted {
  readonly thread: string;
  /** Although this process leads, and its main thread must not stand still. */
  readonly anyway: boolean;
}

export class Looks {
  readonly #options: LooksOptions;
  #isTaken = false;

  constructor(options: LooksOptions) {
    this.#options = options;
  }

  threads(): Promise<ThreadRow[]> {
    return this.#take(() => threadsOf(this.#options.clock));
  }

  profile({ thread, seconds, gone }: ProfileWanted): Promise<Readable> {
    const { clock } = this.#options;
    return this.#take(() =>
      inspect({ thread, clock }, async (inspected) => {
        await inspected.post("Profiler.enable");
        await inspected.post("Profiler.setSamplingInterval", { interval: SAMPLE_US });
        await inspected.post("Profiler.start");
        await clock.sleep(seconds * 1000, gone);
        const { profile } = await inspected.post("Profiler.stop");
        await inspected.post("Profiler.disable");
        return Readable.from([Buffer.from(JSON.stringify(profile))]);
      }),
    );
  }

  /** Resolves with its first part; a thread that there is not is told before. */
  async snapshot({ thread, anyway }: SnapshotWanted): Promise<Readable> {
    if (thread === "main" && !anyway && (await this.#leads())) throw new AntiphonError("REQUEST_INVALID", LEADS);
    const stream = new Readable({ read: () => {}, highWaterMark: WAITING_BYTES_MAX });
    // Nobody else listens before it is answered with, and a process must not end by it.
    stream.on("error", () => {});
    return new Promise((resolve, reject) => {
      const onChunk = (chunk: string): void => {
        resolve(stream);
        if (!stream.destroyed && !stream.push(chunk)) stream.destroy(new Error("It is read too slowly."));
      };
      this.#take(() => this.#fill(stream, thread, onChunk)).catch((error: Error) => {
        reject(error);
        stream.destroy(error);
      });
    });
  }

  async #fill(stream: Readable, thread: string, onChunk: (chunk: string) => void): Promise<void> {
    const { clock } = this.#options;
    await inspect({ thread, clock, onChunk }, (inspected) =>
      inspected.post("HeapProfiler.takeHeapSnapshot", { reportProgress: false }),
    );
    stream.push(null);
    // Until it is read it is in our memory.
    const isRead = new AbortController();
    stream.once("close", () => isRead.abort());
    if (!stream.destroyed) await clock.sleep(READ_MS, isRead.signal);
    stream.destroy();
  }

  /** By the name of its pod. A worker, of which this is not the main thread, leads nothing. */
  async #leads(): Promise<boolean> {
    if (!isMainThread) return false;
    const { client, keys, leaseMs } = this.#options;
    const masters = await mastersOf(client, keys, leaseMs);
    const units = await seats(client, keys, { units: [], masters });
    return units.some(({ leader }) => leader?.startsWith(`${hostname()}/`) === true);
  }

  async #take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isTaken) throw new AntiphonError("TOO_MANY_REQUESTS", "Somebody looks into this process already.");
    this.#isTaken = true;
    try {
      return await work();
    } finally {
      this.#isTaken = false;
    }
  }
}
