// From a route as written to a route as run: checks every option, fills in every default, freezes.

import { HTTP_OPTIONS, readHttp } from "./build-http.ts";
import {
  COMMON_OPTIONS,
  type Defaults,
  readCommon,
  readPlaced,
  readWork,
  WORK_ATTEMPTS,
  WORK_OPTIONS,
} from "./build-common.ts";
import {
  isRecord,
  type Options,
  present,
  readFunction,
  readSchema,
  refuseUnknown,
  type Report,
} from "./build-options.ts";
import type { Event, Job } from "./context.ts";
import { durationMs } from "./duration.ts";
import type { ChatKey } from "./options.ts";
import { readPattern } from "./pattern.ts";
import { PLACE_OPTIONS } from "./place.ts";
import type { AnyRoute, Method, Placed } from "./routes.ts";
import { isSchema } from "./schema.ts";
import { readTimed, TIMED_OPTIONS } from "./timed.ts";

/** A route as an author wrote it; nothing in it is checked yet. */
export interface Draft {
  readonly kind: AnyRoute["kind"];
  readonly method?: Method;
  /** The pattern, path, contract, time or period. */
  readonly subject: unknown;
  readonly options: unknown;
}

const CHAT: Defaults = { attempts: 1, timeoutMs: 60_000 };
const WORK: Defaults = { attempts: WORK_ATTEMPTS, timeoutMs: 600_000 };
const PERIOD_MS_MIN = 1000;

const PLACED = [...WORK_OPTIONS, ...PLACE_OPTIONS];
const KNOWN: Readonly<Record<AnyRoute["kind"], ReadonlySet<string>>> = {
  command: new Set([...COMMON_OPTIONS, "key", "args"]),
  hear: new Set([...COMMON_OPTIONS, "key", "args"]),
  fallback: new Set([...COMMON_OPTIONS, "key"]),
  http: new Set([...COMMON_OPTIONS, ...PLACED, ...HTTP_OPTIONS]),
  job: new Set([...COMMON_OPTIONS, ...WORK_OPTIONS]),
  event: new Set([...COMMON_OPTIONS, ...PLACED]),
  cron: new Set([...COMMON_OPTIONS, ...PLACED, ...TIMED_OPTIONS, "tz"]),
  every: new Set([...COMMON_OPTIONS, ...PLACED, ...TIMED_OPTIONS]),
};

/** Undefined when there was something to report. */
export function buildRoute(draft: Draft, id: string, report: Report): AnyRoute | undefined {
  const { kind, options } = draft;
  if (!isRecord(options)) {
    report("its options must be an object with run");
    return undefined;
  }
  let sound = true;
  const tell: Report = (text) => {
    sound = false;
    report(text);
  };
  refuseUnknown(options, KNOWN[kind], tell);
  if (typeof options["run"] !== "function") tell("run is no function");
  const isChat = kind === "command" || kind === "hear" || kind === "fallback";
  const common = readCommon(options, isChat ? CHAT : WORK, tell);
  const own = isChat ? present("key", readChatKey(options, tell)) : readWork(options, tell);
  const place = isChat || kind === "job" ? {} : readPlaced(options, tell);
  const route = { id, ...common, ...own, ...place, ...readKind(draft, options, tell), run: options["run"] };
  return sound ? (Object.freeze(route) as AnyRoute) : undefined;
}

type KindPart<R> = R extends AnyRoute ? Omit<R, "run" | "key" | keyof Placed> : never;

function readKind({ kind, method, subject }: Draft, options: Options, report: Report): KindPart<AnyRoute> {
  switch (kind) {
    case "command":
      return { kind, ...readCommand(subject, report), ...present("args", readSchema(options, "args", report)) };
    case "hear":
      return { kind, pattern: readRegExp(subject, report), ...present("args", readSchema(options, "args", report)) };
    case "fallback":
      return { kind };
    case "http":
      return readHttp(method ?? "POST", { path: subject, options }, report);
    case "job":
      return { kind, job: readContract<Job>("job", subject, report) };
    case "event":
      return { kind, event: readContract<Event>("event", subject, report) };
    case "cron":
      return { kind, ...readCron(subject, options, report), ...readTimed(options, report) };
    case "every":
      return { kind, periodMs: readPeriod(subject, report), ...readTimed(options, report) };
  }
}

function readChatKey(options: Options, report: Report): ChatKey | undefined {
  const value = options["key"];
  if (value === "room" || value === "thread" || value === "user") return value;
  if (typeof value === "string") report('key must be "room", "thread", "user" or a function of the message');
  return readFunction<(message: unknown) => string>(options, "key", report);
}

function readCommand(subject: unknown, report: Report) {
  if (typeof subject !== "string") report("the pattern must be a text such as deploy <app> [env]");
  const pattern = typeof subject === "string" ? subject.trim().replace(/ +/g, " ") : "";
  const { parts, problems } = readPattern(pattern);
  if (typeof subject === "string") for (const problem of problems) report(problem);
  return { pattern, parts: Object.freeze(parts.map((part) => Object.freeze(part))) };
}

/** Without g and y, which would make it remember where it matched last. */
function readRegExp(subject: unknown, report: Report): RegExp {
  const isRegExp = Object.prototype.toString.call(subject) === "[object RegExp]";
  if (!isRegExp) report("the pattern must be a regular expression");
  const { source, flags } = isRegExp ? (subject as RegExp) : /./;
  return Object.freeze(new RegExp(source, flags.replace(/[gy]/g, "")));
}

function readContract<C extends Job | Event>(kind: C["kind"], subject: unknown, report: Report): C {
  const schema = isRecord(subject) ? subject[kind === "job" ? "input" : "payload"] : undefined;
  const sound = isRecord(subject) && subject["kind"] === kind && typeof subject["name"] === "string";
  if (!sound || !isSchema(schema)) report(`its first argument must be made with ${kind}(name, schema)`);
  return subject as C;
}

/** Whether there are such times and such a zone is checked at load. */
function readCron(subject: unknown, options: Options, report: Report): { spec: string; tz: string } {
  const spec = typeof subject === "string" ? subject.trim() : "";
  if (spec.split(/\s+/).length !== 5) report('the time must have five fields, as in "0 9 * * 1-5"');
  const tz = options["tz"];
  if (typeof tz !== "string" || tz === "") report("tz must name a time zone such as Europe/Paris");
  return { spec, tz: String(tz) };
}

function readPeriod(subject: unknown, report: Report): number {
  const periodMs = durationMs(subject);
  if (periodMs === undefined || periodMs < PERIOD_MS_MIN)
    report('the period must be a duration of at least a second, as in "5m"');
  return periodMs ?? PERIOD_MS_MIN;
}
