// Reads options that may be anything: authors also write plain JavaScript. Each reader reports what is wrong and goes on.

import { durationMs } from "./duration.ts";
import type { Schema } from "./infer.ts";
import { isSchema } from "./schema.ts";

export type Options = Readonly<Record<string, unknown>>;
/** Tells one problem. */
export type Report = (text: string) => void;

export function isRecord(value: unknown): value is Options {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Absent stays absent: under `exactOptionalPropertyTypes` a key is left out rather than undefined. */
export function present<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}

export function refuseUnknown(options: Options, known: ReadonlySet<string>, report: Report): void {
  for (const key of Object.keys(options)) if (!known.has(key)) report(`unknown option ${key}`);
}

export function readSchema(options: Options, key: string, report: Report): Schema | undefined {
  const value = options[key];
  if (value === undefined || isSchema(value)) return value;
  report(`${key} is no Standard Schema`);
  return undefined;
}

export function readDuration(options: Options, key: string, report: Report): number | undefined {
  const value = options[key];
  if (value === undefined) return undefined;
  const ms = durationMs(value);
  if (ms === undefined || ms <= 0) report(`${key} must be a duration such as "10s", "5m" or "24h"`);
  return ms;
}

/** A whole number from 1 to `max`. */
export function readCount(options: Options, key: string, { max, report }: { max: number; report: Report }) {
  const value = options[key];
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1 && value <= max) return value;
  report(`${key} must be a whole number from 1 to ${max}`);
  return undefined;
}

export function readTexts(options: Options, key: string, report: Report): readonly string[] | undefined {
  const value = options[key];
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.length > 0 && value.every((text) => typeof text === "string" && text !== ""))
    return Object.freeze([...value] as string[]);
  report(`${key} must be a list of texts that is not empty`);
  return undefined;
}

export function readFunction<F>(options: Options, key: string, report: Report): F | undefined {
  const value = options[key];
  if (value !== undefined && typeof value !== "function") {
    report(`${key} is no function`);
    return undefined;
  }
  return value as F | undefined;
}

const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;

export function readHeaderName(options: Options, key: string, report: Report): string {
  const value = options["header"];
  if (typeof value === "string" && HEADER_NAME.test(value)) return value.toLowerCase();
  report(`${key}.header must be the name of a header`);
  return "";
}
