// Runs a mode from its start to the signal that ends it.

import { hostname } from "node:os";
import type { Config } from "../config/config.ts";
import { reportsOf } from "../config/reports.ts";
import { systemClock } from "../runtime/clock.ts";
import { VERSION } from "../runtime/version.ts";
import type { Emit } from "../telemetry/events.ts";
import { logEmitter } from "../telemetry/logs.ts";
import { measuring } from "../telemetry/measuring.ts";
import { Meter } from "../telemetry/meter.ts";
import type { Report } from "../telemetry/report.ts";
import { openReporting } from "../telemetry/trackers.ts";
import type { Addresses, CommandContext, Option } from "./command.ts";

export interface Running {
  /** Resolves when it serves; rejects when it cannot start. */
  readonly ready: Promise<Addresses>;
  stop(): Promise<void>;
}

export interface Around {
  readonly emit: Emit;
  /** What it counts. */
  readonly meter: Meter;
  /** Takes what other threads report. */
  readonly report: (report: Report) => void;
  readonly died: (error: unknown) => void;
  /** An operator wants it to stop. */
  readonly toStop: () => void;
}

export interface ModeOptions {
  readonly name: "master" | "worker";
  readonly config: Config;
  start(around: Around): Running;
}

export const MODE_OPTIONS: Readonly<Record<string, Option>> = {
  dev: { type: "boolean", help: "as a part of `antiphon dev`: guests are admins; ends with its parent" },
};

/** @returns 0 after a drain; @throws what kept it from starting or ended it */
export async function runMode(context: CommandContext, { name, config, start }: ModeOptions): Promise<number> {
  const { stopping } = context;
  const log = logEmitter({ level: config.logLevel, format: config.logFormat, base: { mode: name } });
  const reports = reportsOf({ config, server: hostname(), version: VERSION });
  const meter = new Meter();
  const reporting = openReporting(reports, {
    emit: measuring(log, meter),
    mode: name,
    clock: systemClock,
    random: Math.random,
    functions: { cwd: context.cwd },
  });
  const { emit } = reporting;
  let failure: unknown;
  let isStopping = false;
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => (end = resolve));
  const died = (error: unknown): void => {
    if (!isStopping) failure ??= error; // a start that was interrupted is no failure
    end();
  };
  let isOrdered = false;
  const toStop = (): void => {
    isOrdered = true;
    end();
  };
  stopping.addEventListener("abort", end);
  if (stopping.aborted) end();
  const running = start({ emit, meter, report: (one) => reporting.report(one), died, toStop });
  running.ready.then((at) => {
    emit("process.started", { mode: name, pid: process.pid, urls: urlsOf(config, at) });
    context.ready(at);
  }, died);
  await ended;
  isStopping = true;
  const why = isOrdered ? "order" : String(stopping.reason);
  emit("process.stopping", { signal: failure === undefined ? why : "none" });
  await running.stop();
  emit("process.stopped", { mode: name });
  await reporting.close();
  if (failure !== undefined) throw failure;
  return 0;
}

function urlsOf(config: Config, { http, admin }: Addresses): string {
  const urls = [];
  if (http !== undefined) urls.push(`http://${config.httpHost}:${http}`);
  if (admin !== undefined) urls.push(`http://${config.adminHost}:${admin}`);
  return urls.join(" ");
}
