// An error tracker that is a function of one's own. It runs in a thread that is started for the first report, ended when nothing
// came for a while, and ended at once when the function does not come to an end.

import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import type { Clock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import type { Report } from "./report.ts";
import { errorReport } from "./tracker-post.ts";
import type { FromTracker, ToTracker, TrackerThreadData } from "./tracker-thread.ts";
import { type About, type Answer, ANSWER_MS, type Transport } from "./transport.ts";

export interface FunctionOptions {
  /** Of the module, relative to `cwd`. */
  readonly path: string;
  readonly cwd: string;
  readonly about: About;
  readonly clock: Clock;
}

const ENTRY = new URL(`./tracker-thread${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
const LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 };
/** After that the thread is ended, and its memory given back. */
const IDLE_MS = 60_000;
/** Loading its module may take as long as a tracker may. */
const TAKEN: Answer = { isTaken: true, problem: "", mayPass: false };

export class FunctionTracker implements Transport {
  readonly name: string;
  readonly #options: FunctionOptions;
  readonly #url: string;
  #thread: Worker | undefined;
  #serial = 0;

  /** Throws CONFIG_INVALID where there is no such file. */
  constructor(options: FunctionOptions) {
    const file = resolve(options.cwd, options.path);
    if (!existsSync(file)) throw new AntiphonError("CONFIG_INVALID", `ANTIPHON_ERROR_TRACKERS: there is no ${file}.`);
    this.name = basename(file);
    this.#options = options;
    this.#url = pathToFileURL(file).href;
  }

  async send(report: Report, stopping: AbortSignal): Promise<Answer> {
    const { clock, about } = this.#options;
    const serial = ++this.#serial;
    const thread = (this.#thread ??= this.#open());
    const over = new AbortController();
    const late = clock.sleep(ANSWER_MS, AbortSignal.any([over.signal, stopping])).then(() => "late" as const);
    const answered = heard(thread, serial);
    thread.postMessage({ serial, report: errorReport(report, about) } satisfies ToTracker);
    const problem = await Promise.race([answered, late]);
    over.abort();
    if (problem === "late") await this.#end(thread);
    if (problem === undefined) void this.#endWhenIdle(thread, serial);
    if (problem === undefined) return TAKEN;
    const said = problem === "late" ? "it did not come to an end" : problem;
    return { isTaken: false, problem: said, mayPass: false };
  }

  async close(): Promise<void> {
    if (this.#thread !== undefined) await this.#end(this.#thread);
  }

  #open(): Worker {
    const data: TrackerThreadData = { url: this.#url };
    const thread = new Worker(ENTRY, { workerData: data, name: "error tracker", resourceLimits: LIMITS });
    thread.unref();
    thread.on("error", () => {}); // `heard` tells of it
    thread.on("exit", () => {
      if (this.#thread === thread) this.#thread = undefined;
    });
    return thread;
  }

  async #endWhenIdle(thread: Worker, serial: number): Promise<void> {
    await this.#options.clock.sleep(IDLE_MS);
    if (this.#serial === serial && this.#thread === thread) await this.#end(thread);
  }

  async #end(thread: Worker): Promise<void> {
    if (this.#thread === thread) this.#thread = undefined;
    await thread.terminate();
  }
}

/** What the thread says of this report; or why it says nothing any more. */
function heard(thread: Worker, serial: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const done = (problem: string | undefined): void => {
      thread.off("message", onMessage);
      thread.off("error", onError);
      thread.off("exit", onExit);
      resolve(problem);
    };
    const onMessage = (said: FromTracker): void => {
      if (said.serial === serial) done(said.problem);
    };
    const onError = (error: unknown): void => done(error instanceof Error ? error.message : String(error));
    const onExit = (): void => done("it ended its thread");
    thread.on("message", onMessage);
    thread.on("error", onError);
    thread.on("exit", onExit);
  });
}
