// Events -> log lines on standard output: JSON for machines, one coloured line for people.

import { pino } from "pino";
import { type Emit, type EventFields, type EventName, LEVELS, type Level } from "./events.ts";

export interface LogOptions {
  readonly level: Level;
  readonly format: "json" | "pretty";
  /** Fields of every line, e.g. the mode and the thread. */
  readonly base: Readonly<Record<string, unknown>>;
  /** Where lines go; standard output when left out. */
  readonly write?: (line: string) => void;
}

/** An `Emit` that writes log lines. Errors become their type, code, message and stack. */
export function logEmitter(options: LogOptions): Emit {
  const destination = options.write ? { write: options.write } : pino.destination({ fd: 1, sync: true });
  const logger = pino(
    {
      level: options.level,
      base: { ...options.base },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.errWithCause },
    },
    options.format === "pretty" ? { write: (line: string) => destination.write(prettyLine(line)) } : destination,
  );
  return (name, fields) => {
    if (name === "log") {
      const line = fields as EventFields["log"];
      const { level, text, fields: more, ...where } = line;
      logger[level]({ event: "log", ...where, ...more }, text);
      return;
    }
    const level = (LEVELS as Readonly<Partial<Record<EventName, Level>>>)[name];
    if (level !== undefined) logger[level]({ event: name, ...fields });
  };
}

const COLOURS: Readonly<Record<string, string>> = {
  error: "\x1b[31m",
  warn: "\x1b[33m",
  info: "\x1b[32m",
  debug: "\x1b[2m",
};
const SILENT = new Set(["level", "time", "event", "msg", "mode", "thread", "pid"]);

/** One JSON log line as people like to read it. */
export function prettyLine(json: string): string {
  const line = JSON.parse(json) as Record<string, unknown>;
  const level = String(line["level"]);
  const time = String(line["time"]).slice(11, 23);
  const error = line["error"] as { stack?: string; message?: string } | undefined;
  const fields = Object.entries(line)
    .filter(([key]) => !SILENT.has(key) && key !== "error")
    .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const text = line["event"] === "log" ? String(line["msg"] ?? "") : String(line["event"]);
  const trace = error ? `\n    ${error.stack ?? error.message ?? ""}` : "";
  return `${time} ${COLOURS[level] ?? ""}${level.padEnd(5)}\x1b[0m ${[text, ...fields].join(" ")}${trace}\n`;
}
