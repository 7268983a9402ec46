// The entry of the HTTP thread: loads the manifest, serves, drains, stops. It runs no handler's code.

import { parentPort, workerData } from "node:worker_threads";
import { BUILTINS } from "../builtin/all.ts";
import { loadHandlers, loadOptionsOf } from "../handlers/loader.ts";
import type { Manifest } from "../handlers/manifest.ts";
import { systemClock } from "../runtime/clock.ts";
import { AntiphonError, ERROR_TABLE } from "../runtime/errors.ts";
import { collectStartupGarbage } from "../runtime/heap.ts";
import { startAll, stopAll } from "../runtime/part.ts";
import { logEmitter } from "../telemetry/logs.ts";
import { measuring } from "../telemetry/measuring.ts";
import { Meter } from "../telemetry/meter.ts";
import { openTracing } from "../telemetry/tracing.ts";
import type { Report } from "../telemetry/report.ts";
import { openReporting } from "../telemetry/trackers.ts";
import type { FromHttpThread, HttpThreadData, ToHttpThread } from "./http-protocol.ts";
import { httpParts } from "./http-parts.ts";
import { Pulse } from "./pulse.ts";

/** How long streams that are open may stay when the worker drains. */
const STREAMS_MS = 2_000;

const { config, cwd, adapters, reports, traces, pulse, clockOffset } = workerData as HttpThreadData;

function post(message: FromHttpThread): void {
  parentPort?.postMessage(message);
}

async function serve(): Promise<void> {
  const origin = { mode: "worker", thread: "http" };
  const log = logEmitter({
    level: config.logLevel,
    format: config.logFormat,
    base: { ...origin, pid: process.pid },
  });
  const meter = new Meter();
  const around = { ...origin, emit: measuring(log, meter), clock: systemClock, random: Math.random };
  const functions = { tell: (report: Report) => post({ type: "report", report }) };
  const reporting = openReporting(reports, { ...around, functions });
  const { emit } = reporting;
  const tracing = await openTracing(traces, { ...around, emit });
  const surroundings = { config, clockOffset, clock: systemClock, random: Math.random, emit };
  const { parts, publicServer, admin, bus } = httpParts({
    ...surroundings,
    manifest: await load(),
    pulse: new Pulse(pulse),
    tracing,
    meter,
  });
  await startAll(parts);
  parentPort?.on("message", (message: ToHttpThread) => {
    if (message.type === "measured") return meter.add(message.changes);
    publicServer.drain();
    bus.endStreams(message.type === "drain" ? STREAMS_MS : 0);
    if (message.type === "drain") return;
    void stopAll(parts, message.deadlineMs)
      .catch((error: unknown) => emit("part.failed", { part: "http", error }))
      .then(() => Promise.all([reporting.close(), tracing?.close()]))
      .finally(() => {
        post({ type: "stopped" });
        parentPort?.close();
      });
  });
  post({ type: "listening", httpPort: publicServer.port, adminPort: admin.port });
  collectStartupGarbage();
}

function load(): Promise<Manifest> {
  return loadHandlers(loadOptionsOf({ ...config, cwd }, { adapters, builtins: BUILTINS }));
}

function refuse(error: unknown): void {
  const code = error instanceof AntiphonError ? error.code : "CONFIG_INVALID";
  const message = error instanceof Error ? error.message : String(error);
  const detail = message.replace(ERROR_TABLE[code].sentence, "").trimEnd();
  post({ type: "unfit", code, message: detail.startsWith(" ") ? detail.slice(1) : detail });
  parentPort?.close();
}

await serve().catch(refuse);
