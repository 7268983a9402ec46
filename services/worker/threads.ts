// Where handlers run, seen from main: a worker_thread, or a child process for quarantine. Messages in, messages out, gone.

import { fork, type ChildProcess } from "node:child_process";
import { Worker } from "node:worker_threads";
import type { Meter } from "../telemetry/meter.ts";
import type { Report } from "../telemetry/report.ts";
import { ChildMemory } from "./child-memory.ts";
import { unpackAnswers } from "./packing.ts";
import type { FromThread, ThreadData, ToThread } from "./protocol.ts";

export interface HostEvents {
  message(message: FromThread): void;
  /** Once, after the last message. */
  gone(reason: string): void;
}

export interface Host {
  post(message: ToThread): void;
  /** Ends it at once, whatever it does; `gone` follows. */
  end(): void;
  /** Of its heap and its buffers, in use; answered also while it spins. Absent or undefined where nobody can tell. */
  heapBytes?(): Promise<number | undefined>;
  /** How long its loop has been busy since it began. Absent where nobody can tell. */
  busyMs?(): number;
}

export type Spawn = (data: ThreadData, events: HostEvents) => Host;

export interface ThreadEars {
  readonly meter?: Meter | undefined;
  readonly report?: ((report: Report) => void) | undefined;
}

/** The same spawner, which also hears what the thread counts and reports. */
export function heardSpawn(spawn: Spawn, { meter, report }: ThreadEars): Spawn {
  return (data, { message, gone }) =>
    spawn(data, {
      message: (one) => {
        if (one.type === "measured") meter?.add(one.changes);
        else if (one.type === "report") report?.(one.report);
        else message(one);
      },
      gone,
    });
}

export interface MemoryLimits {
  readonly oldMb: number;
  /** Small, so that what a flood of webhooks leaves behind is collected early. */
  readonly youngMb: number;
}

/** The entry file beside this one: `.ts` as written, `.js` as built. */
export function entryUrl(name: string): URL {
  return new URL(`./${name}${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
}

export function threadSpawner(limits: MemoryLimits): Spawn {
  return (data, events) => new ThreadHost(data, limits, events);
}

export function childSpawner(limits: MemoryLimits): Spawn {
  return (data, events) => new ChildHost(data, limits, events);
}

class ThreadHost implements Host {
  readonly #worker: Worker;

  constructor(data: ThreadData, limits: MemoryLimits, events: HostEvents) {
    this.#worker = new Worker(entryUrl("thread"), {
      workerData: data,
      name: `${data.kind}-${data.index}`,
      resourceLimits: { maxOldGenerationSizeMb: limits.oldMb, maxYoungGenerationSizeMb: limits.youngMb },
    });
    let reason = "";
    this.#worker.on("message", (message: FromThread) =>
      events.message(message.type === "answers" ? { type: "settled", list: unpackAnswers(message.packed) } : message),
    );
    this.#worker.on("error", (error) => (reason = describe(error)));
    this.#worker.on("exit", (code) => events.gone(reason === "" ? `exit code ${code}` : reason));
  }

  post(message: ToThread): void {
    const transfer = message.type === "runs" ? [message.packed.bodies.buffer] : [];
    this.#worker.postMessage(message, transfer);
  }

  end(): void {
    void this.#worker.terminate();
  }

  async heapBytes(): Promise<number> {
    const { used_heap_size: heap, external_memory: buffers } = await this.#worker.getHeapStatistics();
    return heap + buffers;
  }

  busyMs(): number {
    return this.#worker.performance.eventLoopUtilization().active;
  }
}

class ChildHost implements Host {
  readonly #child: ChildProcess;
  readonly #memory: ChildMemory;

  constructor(data: ThreadData, limits: MemoryLimits, events: HostEvents) {
    this.#child = fork(entryUrl("child"), [], {
      serialization: "advanced",
      execArgv: [...process.execArgv, `--max-old-space-size=${limits.oldMb}`],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    let reason = "";
    let isGone = false;
    const gone = (text: string): void => {
      if (!isGone) events.gone(reason === "" ? text : reason);
      isGone = true;
    };
    this.#memory = new ChildMemory(this.#child, () => this.#send({ type: "measure" }));
    this.#child.on("message", (message: FromThread) => {
      if (message.type === "memory") this.#memory.told(message);
      else events.message(message);
    });
    this.#child.on("error", (error) => {
      reason = describe(error);
      if (this.#child.pid === undefined) gone(reason);
    });
    this.#child.on("close", (code, signal) => gone(signal === null ? `exit code ${code}` : `signal ${signal}`));
    const { slotMemory: _notShared, ...plain } = data;
    this.#send({ ...plain, clockOffset: new Float64Array(data.clockOffset) });
  }

  post(message: ToThread): void {
    this.#send(message);
  }

  end(): void {
    this.#child.kill("SIGKILL");
  }

  heapBytes(): Promise<number | undefined> {
    return this.#memory.heapBytes();
  }

  /** A child that is gone hears nothing; `gone` tells. */
  #send(message: object): void {
    if (this.#child.connected) this.#child.send(message, () => {});
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error ? `${String(error.code)}: ${error.message}` : (error.stack ?? error.message);
}
