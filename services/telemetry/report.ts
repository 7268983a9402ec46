// What an error tracker is told: made of an event, with what is known of the delivery, without bodies and known secrets.

import { randomUUID } from "node:crypto";
import type { ErrorReport, ReportedError } from "../sdk/error-report.ts";
import type { EventFields, EventName } from "./events.ts";

type RunContext = ErrorReport["run"];

/** Crosses threads on its way to a tracker that is a function. */
export interface Report extends Omit<ErrorReport, "at" | "about"> {
  readonly atMs: number;
  /** Where it was made, if not in main. */
  readonly thread?: string;
}

const TEXT_CHARS_MAX = 2_000;
const STACK_CHARS_MAX = 8_000;
const CAUSES_MAX = 5;

export interface ReportSource {
  readonly nowMs: number;
  /** Takes out what must not leave the process. */
  readonly mask: (text: string) => string;
}

/** Undefined for what is no error. */
export function reportOf<N extends EventName>(
  name: N,
  fields: EventFields[N],
  source: ReportSource,
): Report | undefined {
  const told = tellingOf(name, fields);
  if (told === undefined) return undefined;
  const { error, level = "error", run = {}, where } = told;
  const { trace_id: traceId, span_id: spanId } = fields as { trace_id?: string; span_id?: string };
  return {
    id: randomUUID().replaceAll("-", ""),
    atMs: source.nowMs,
    event: name,
    level,
    error: reportedError(error, source.mask, CAUSES_MAX),
    run,
    ...(traceId === undefined || spanId === undefined ? {} : { trace: { traceId, spanId } }),
    ...(where === undefined ? {} : { where: source.mask(where) }),
  };
}

interface Telling {
  readonly error: unknown;
  readonly level?: Report["level"];
  readonly run?: RunContext;
  readonly where?: string;
}

function tellingOf(name: EventName, fields: unknown): Telling | undefined {
  switch (name) {
    case "run.failed": {
      const { error, origin, next, trace_id: _, span_id: _span, ...known } = fields as EventFields["run.failed"];
      const level = next === "dead letter" ? "error" : "warning";
      return { error, level, run: { ...known, id: origin, next } };
    }
    case "run.dead": {
      const { route, queue, origin, reason } = fields as EventFields["run.dead"];
      return { error: reason, run: { route, queue, id: origin, next: "dead letter" } };
    }
    case "part.failed": {
      const { part, error } = fields as EventFields["part.failed"];
      return { error, where: part };
    }
    case "loop.failed": {
      const { loop, error } = fields as EventFields["loop.failed"];
      return { error, level: "warning", where: loop };
    }
    case "http.failed": {
      const { path, error } = fields as EventFields["http.failed"];
      return { error, where: path };
    }
    case "retry.unfit": {
      const { route, origin, error } = fields as EventFields["retry.unfit"];
      return { error, level: "warning", run: { route, id: origin } };
    }
    default:
      return undefined;
  }
}

function reportedError(error: unknown, mask: ReportSource["mask"], causes: number): ReportedError {
  const said = (text: unknown, most = TEXT_CHARS_MAX): string => mask(String(text)).slice(0, most);
  if (!(error instanceof Error)) return { type: "Error", message: said(error) };
  const code = "code" in error && typeof error.code === "string" ? { code: said(error.code) } : {};
  const stack = error.stack === undefined ? {} : { stack: said(error.stack, STACK_CHARS_MAX) };
  const hasCause = error.cause !== undefined && causes > 0;
  const cause = hasCause ? { cause: reportedError(error.cause, mask, causes - 1) } : {};
  return { type: error.name, message: said(error.message), ...code, ...stack, ...cause };
}

const MASK = "[removed]";
/** A shorter text may be a part of any word. */
const SECRET_CHARS_MIN = 6;

export function maskOf(secrets: readonly string[]): (text: string) => string {
  const long = secrets.filter((secret) => secret.length >= SECRET_CHARS_MIN).toSorted((a, b) => b.length - a.length);
  return (text) => long.reduce((masked, secret) => masked.replaceAll(secret, MASK), text);
}
