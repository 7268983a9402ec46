// One child process of the local stack: a mode of this same program, its log lines and its end.

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Clock } from "../runtime/clock.ts";

export interface ChildOptions {
  readonly mode: "master" | "worker";
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** A line of its log, or anything else that it wrote to standard output or standard error. */
  onLine(line: string, stream: "stdout" | "stderr"): void;
}

/** What a child tells through the channel between the two: see main.ts. */
export interface Ready {
  readonly type: "ready";
  readonly http?: number;
  readonly admin?: number;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Compiled, the entry is a `.js` file. */
export const MAIN = fileURLToPath(new URL(`../main.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url));
/** After the deadline that it knows itself a child gets this long before it is killed. */
const SLACK_MS = 8000;

export class Child {
  /** Resolves when it serves; never when it ends before. */
  readonly ready: Promise<Ready>;
  readonly ended: Promise<Ended>;
  readonly #clock: Clock;
  readonly #process: ChildProcess;

  /** Starts it. The channel tells the child when this process is gone, whatever ended it. */
  constructor(options: ChildOptions) {
    this.#clock = options.clock;
    this.#process = spawn(process.execPath, [...process.execArgv, MAIN, options.mode, "--dev"], {
      env: options.env,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    for (const name of ["stdout", "stderr"] as const) {
      const input = this.#process[name];
      if (input) createInterface({ input, crlfDelay: Infinity }).on("line", (line) => options.onLine(line, name));
    }
    this.ready = new Promise((resolve) => {
      this.#process.on("message", (message: Ready) => {
        if (message.type === "ready") resolve(message);
      });
    });
    this.ended = new Promise((resolve) => {
      this.#process.once("error", () => resolve({ code: 1, signal: null }));
      this.#process.once("close", (code, signal) => resolve({ code, signal }));
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Lets it drain; kills it when it takes longer than it may. */
  async stop(drainMs: number): Promise<Ended> {
    this.#process.kill("SIGTERM");
    const patience = new AbortController();
    const late = this.#clock.sleep(drainMs + SLACK_MS, patience.signal).then(() => this.#process.kill("SIGKILL"));
    const end = await Promise.race([this.ended, late.then(() => this.ended)]);
    patience.abort();
    return end;
  }
}
