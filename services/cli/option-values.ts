// Values of options, read from the text that somebody typed. What makes no sense is a wrong use: exit code 2.

import type { Filter } from "../queue/queue.ts";
import { type Duration, durationMs } from "../sdk/duration.ts";
import { UsageError } from "./command.ts";
import type { Options } from "./verbs.ts";

export function textOf(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === "string" ? value : undefined;
}

export function countOf(options: Options, name: string, max: number): number | undefined {
  const value = textOf(options, name);
  if (value === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(value) && Number(value) <= max) return Number(value);
  throw new UsageError(`--${name} takes a whole number from 1 to ${max}.`);
}

export function durationOf(options: Options, name: string): Duration | undefined {
  const value = textOf(options, name);
  if (value === undefined) return undefined;
  if (durationMs(value) !== undefined) return value as Duration;
  throw new UsageError(`--${name} takes a duration such as 30s, 10m or 24h.`);
}

export function dateOf(options: Options, name: string): Date | undefined {
  const value = textOf(options, name);
  if (value === undefined) return undefined;
  const date = new Date(value);
  if (/^\d{4}-\d\d-\d\d/.test(value) && Number.isFinite(date.getTime())) return date;
  throw new UsageError(`--${name} takes a time such as 2026-03-01T09:00:00Z.`);
}

/** `undefined` when the option is not there. */
export function jsonOf(options: Options, name: string): unknown {
  const value = textOf(options, name);
  if (value === undefined) return undefined;
  try {
    return JSON.parse(value) as unknown;
  } catch (error) {
    throw new UsageError(`--${name} takes JSON: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

export function listOf(options: Options, name: string): string[] | undefined {
  return textOf(options, name)
    ?.split(",")
    .map((part) => part.trim());
}

/** An object without what is undefined. */
export function given<T extends Record<string, unknown>>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

export const FILTERS = ["queue", "route", "key", "tag", "text", "older"];

export const FILTER_OPTIONS = {
  queue: { type: "string", value: "NAME", help: "only this queue" },
  route: { type: "string", value: "ID", help: "only this route, or all of a handler" },
  key: { type: "string", value: "KEY", help: "only this ordering key" },
  tag: { type: "string", value: "TAG", help: "only what has this tag" },
  text: { type: "string", value: "TEXT", help: "only what has this text in its body" },
  older: {
    type: "string",
    value: "TIME",
    help: "only what has been so for longer, e.g. 5m: running, dead, or enqueued",
  },
} as const;

export function filterOf(options: Options): Filter {
  const { queue, route, key, tag, text } = Object.fromEntries(
    FILTERS.map((name) => [name, textOf(options, name)]),
  ) as Record<string, string | undefined>;
  return given({ queue, route, key, tag, text, olderThan: durationOf(options, "older") }) as Filter;
}
