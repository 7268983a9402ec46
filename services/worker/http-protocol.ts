// What the main thread and the HTTP thread (http-thread.ts) say to each other. The thread has its own connection to Redis.
//
//   main ── workerData ─▶ thread     thread ── listening | unfit ─▶ main     (once)
//   main ── drain ──────▶ thread     SIGTERM came: answers `Connection: close`, goes on serving
//   main ── measured ───▶ thread     at most once a second: /metrics is served there
//   main ── stop ───────▶ thread     thread ── stopped ──────────▶ main     (listeners closed; then it ends)
//
// `listening` does not wait for Redis: without it senders get 503 and Retry-After. Routes' numbers in the registry are the
// thread's own business (broker/routes.ts), as is loading the handlers, whose routes it serves and whose code it does not run.

import type { AdapterFacts } from "../adapters/load.ts";
import type { Config } from "../config/config.ts";
import type { Change } from "../telemetry/meter.ts";
import type { TracingOptions } from "../telemetry/tracing.ts";
import type { Report } from "../telemetry/report.ts";
import type { ReportingOptions } from "../telemetry/trackers.ts";

export interface HttpThreadData {
  readonly config: Config;
  /** Where relative paths and packages of handlers are looked for. */
  readonly cwd: string;
  readonly adapters: readonly AdapterFacts[];
  /** Who hears of errors. */
  readonly reports: ReportingOptions;
  /** Where traces go, if anybody asked for them. */
  readonly traces?: TracingOptions | undefined;
  /** For `Pulse` in pulse.ts; this thread only reads. */
  readonly pulse: SharedArrayBuffer;
  /** [0] is added to the server's clock inside the scripts, ms; for tests. */
  readonly clockOffset: Float64Array;
}

export type ToHttpThread =
  | { readonly type: "drain" }
  | { readonly type: "stop"; readonly deadlineMs: number }
  /** What main and the handlers' threads counted. */
  | { readonly type: "measured"; readonly changes: readonly Change[] };

export type FromHttpThread =
  | { readonly type: "listening"; readonly httpPort: number; readonly adminPort: number }
  /** A port is taken or the handlers are unfit: the worker's start fails with this. */
  | { readonly type: "unfit"; readonly code: string; readonly message: string }
  /** What failed there, for error trackers that are functions: they run once in a process. */
  | { readonly type: "report"; readonly report: Report }
  | { readonly type: "stopped" };
