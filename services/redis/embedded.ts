// The embedded Valkey: a real Valkey in a thread of this process, for development and tests. Never in production.

import { mkdirSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { withDeadline } from "../runtime/part.ts";
import type { FromThread, ThreadOptions } from "./embedded-thread.ts";

export interface EmbeddedOptions {
  /** 0 or left out = any free one. */
  readonly port?: number;
  /** Where `dump.rdb` is kept: saved at most 1 s after a change and on stop, loaded at start. Left out: nothing is kept. */
  readonly dataDir?: string;
  /** Told when a save fails or the thread ends by itself. */
  readonly onProblem?: (detail: string) => void;
}

export interface EmbeddedServer {
  readonly url: string;
  readonly port: number;
  /** From now on the process may end although the server runs. */
  unref(): void;
  stop(): Promise<void>;
}

const HOST = "127.0.0.1";
const BOOT_MS = 20_000;
const STOP_MS = 10_000;

/** Starts it and waits until it answers. */
export async function startEmbedded(options: EmbeddedOptions = {}): Promise<EmbeddedServer> {
  const { dataDir, onProblem } = options;
  if (dataDir !== undefined) mkdirSync(dataDir, { recursive: true });
  const data: ThreadOptions = { host: HOST, port: options.port ?? 0, dataDir };
  const thread = new Worker(entry(), {
    name: "valkey",
    workerData: data,
    // Node warns about WASI in every process; there is nothing a reader of our log could do about it.
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  const ended = new Promise<void>((resolve) => thread.once("exit", () => resolve()));
  try {
    const port = await withDeadline(ready(thread), BOOT_MS, "The embedded Valkey");
    let stopping: Promise<void> | undefined;
    thread.on("message", (message: FromThread) => {
      if (message.type === "problem") onProblem?.(message.detail);
    });
    thread.on("error", (error) => onProblem?.(`The embedded Valkey failed: ${String(error)}`));
    const stop = async (): Promise<void> => {
      thread.postMessage("stop");
      await withDeadline(ended, STOP_MS, "The embedded Valkey").finally(() => thread.terminate());
    };
    return {
      url: `redis://${HOST}:${port}`,
      port,
      unref: () => thread.unref(),
      stop: () => (stopping ??= stop()),
    };
  } catch (error) {
    await thread.terminate();
    throw error;
  }
}

/** Compiled, this file's neighbour is a `.js` file. */
function entry(): URL {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new URL(`./embedded-thread.${extension}`, import.meta.url);
}

function ready(thread: Worker): Promise<number> {
  return new Promise((resolve, reject) => {
    thread.once("error", reject);
    thread.once("exit", () => reject(new Error("The embedded Valkey ended while it started.")));
    thread.once("message", (message: FromThread) => {
      if (message.type === "ready") resolve(message.port);
      else reject(new Error(message.detail));
    });
  });
}
