// Ends a leading process whose main thread is silent longer than it may act unasked, e.g. after a freeze.
// What such a process still has in its buffers must not reach a chat service minutes later.

import { Worker } from "node:worker_threads";
import type { Clock, Random } from "../runtime/clock.ts";
import { Loop } from "../runtime/loop.ts";
import type { Part } from "../runtime/part.ts";
import { BEAT, LEADING, STOPPED, type WatchdogMemory } from "./watchdog-memory.ts";

export interface WatchdogOptions {
  readonly silentMsMax: number;
  readonly clock: Clock;
  readonly random: Random;
}

export class Watchdog implements Part {
  readonly name = "watchdog";
  readonly #memory: WatchdogMemory;
  readonly #flags: Int32Array;
  readonly #beat: BigInt64Array;
  readonly #loop: Loop;
  #thread: Worker | undefined;

  constructor(options: WatchdogOptions) {
    this.#memory = {
      flags: new SharedArrayBuffer(8),
      beat: new SharedArrayBuffer(8),
      silentMsMax: options.silentMsMax,
    };
    this.#flags = new Int32Array(this.#memory.flags);
    this.#beat = new BigInt64Array(this.#memory.beat);
    this.#loop = new Loop({
      name: "watchdog",
      intervalMs: options.silentMsMax / 20,
      tick: async () => this.#live(),
      onError: () => {},
      clock: options.clock,
      random: options.random,
    });
  }

  async start(): Promise<void> {
    this.#live();
    await this.#loop.start();
  }

  /** Counts the units this process leads: one more, one less. The thread is started with the first. */
  leading(change: 1 | -1): void {
    this.#live();
    Atomics.add(this.#flags, LEADING, change);
    this.#thread ??= this.#spawn();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
    Atomics.store(this.#flags, STOPPED, 1);
    Atomics.notify(this.#flags, STOPPED);
    await this.#thread?.terminate();
  }

  /** After a freeze this may run before the thread looks: then the sign of life is itself the proof of the silence. */
  #live(): void {
    const now = process.hrtime.bigint();
    const silent = now - Atomics.load(this.#beat, BEAT) > BigInt(this.#memory.silentMsMax) * 1_000_000n;
    if (silent && Atomics.load(this.#flags, LEADING) > 0) process.kill(process.pid, "SIGKILL");
    Atomics.store(this.#beat, BEAT, now);
  }

  #spawn(): Worker {
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const thread = new Worker(new URL(`./watchdog-thread.${extension}`, import.meta.url), {
      name: "watchdog",
      workerData: this.#memory,
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
    });
    thread.unref();
    return thread;
  }
}
