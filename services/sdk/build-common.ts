// Reads the options that routes of many kinds share: help, permission, retries, limits, and where their deliveries wait.

import type { Capability } from "./adapter.ts";
import {
  isRecord,
  type Options,
  present,
  readCount,
  readDuration,
  readTexts,
  refuseUnknown,
  type Report,
} from "./build-options.ts";
import { queueName, readPlace } from "./place.ts";
import { isUnbounded, readNoRetry, readRetry, type RetryPlan } from "./retry.ts";
import type { Base, Placed, RateLimit, Work } from "./routes.ts";

export const COMMON_OPTIONS = [
  "help",
  "restrictTo",
  "attempts",
  "retry",
  "noRetry",
  "timeout",
  "maxHeap",
  "needs",
  "meta",
  "run",
] as const;
export const WORK_OPTIONS = ["rate", "concurrency"] as const;

const CAPABILITIES: ReadonlySet<unknown> = new Set<Capability>([
  "thread",
  "edit",
  "react",
  "topic",
  "join",
  "buttons",
  "modal",
  "file",
]);

export interface Defaults {
  readonly attempts: number;
  readonly timeoutMs: number;
}

/** Of routes of work: minutes of tries, so that a restart of what they call is no dead letter. */
export const WORK_ATTEMPTS = 10;
const ATTEMPTS_MAX = 100;
const HEAP_MB_MAX = 65_536;
const LIMIT_MAX = 1_000_000;

/** The options that every route has. */
export function readCommon(options: Options, defaults: Defaults, report: Report): Omit<Base, "id"> {
  const help = options["help"];
  if (help !== undefined && typeof help !== "string") report("help must be a text");
  const needs = readTexts(options, "needs", report) ?? Object.freeze([]);
  for (const need of needs) if (!CAPABILITIES.has(need)) report(`needs: no adapter can do "${need}"`);
  const retry = readRetry(options, report);
  return {
    ...present("help", typeof help === "string" ? help : undefined),
    ...present("restrictTo", readTexts(options, "restrictTo", report)),
    attempts: readAttempts(options, { retry, otherwise: defaults.attempts }, report),
    ...present("retry", retry),
    ...present("noRetry", readNoRetry(options, report)),
    timeoutMs: readDuration(options, "timeout", report) ?? defaults.timeoutMs,
    ...present("maxHeapMb", readCount(options, "maxHeap", { max: HEAP_MB_MAX, report })),
    needs: needs as readonly Capability[],
    meta: readMeta(options, report),
  };
}

function readMeta({ meta = {} }: Options, report: Report): Options {
  if (isRecord(meta)) return Object.freeze({ ...meta });
  report("meta must be an object");
  return {};
}

interface Tries {
  readonly retry: RetryPlan | undefined;
  readonly otherwise: number;
}

/** Who says how to try again wants it tried again; a list or function says itself when to end. */
function readAttempts(options: Options, { retry, otherwise }: Tries, report: Report): number {
  const given = readCount(options, "attempts", { max: ATTEMPTS_MAX, report });
  if (given === 1 && options["retry"] !== undefined) report("attempts: 1 leaves nothing to retry");
  if (given !== undefined || options["retry"] === undefined) return given ?? otherwise;
  return isUnbounded(retry) ? Number.POSITIVE_INFINITY : Math.max(otherwise, WORK_ATTEMPTS);
}

/** How many runs of the route there may be, over all workers. */
export function readWork(options: Options, report: Report): Omit<Work, keyof Base> {
  return {
    ...present("rate", readRate(options["rate"], report)),
    ...present("concurrency", readCount(options, "concurrency", { max: LIMIT_MAX, report })),
  };
}

const RATE_OPTIONS: ReadonlySet<string> = new Set(["limit", "per", "burst", "by"]);

function readRate(value: unknown, report: Report): RateLimit | undefined {
  if (value === undefined) return undefined;
  if (!isRecord(value)) {
    report('rate must be an object: { limit: 100, per: "1m", by: "route" }');
    return undefined;
  }
  const tell: Report = (text) => report(`rate: ${text}`);
  refuseUnknown(value, RATE_OPTIONS, tell);
  const limit = readCount(value, "limit", { max: LIMIT_MAX, report: tell });
  const perMs = readDuration(value, "per", tell);
  const burst = readCount(value, "burst", { max: LIMIT_MAX, report: tell });
  const by = value["by"] ?? "route";
  if (by !== "route" && by !== "key") tell('by must be "route" or "key"');
  if (value["limit"] === undefined || value["per"] === undefined) tell("limit and per are both needed");
  if (limit === undefined || perMs === undefined) return undefined;
  return Object.freeze({ limit, perMs, ...present("burst", burst), by: by === "key" ? "key" : "route" });
}

/** Where the deliveries of a route go that nobody enqueues by hand. */
export function readPlaced(options: Options, report: Report): Pick<Placed, "queue" | "class"> {
  const { queue, tag, class: priority } = readPlace(options, report);
  const name = queueName({ ...present("queue", queue), ...present("tag", tag) });
  return { queue: name, ...present("class", priority) };
}
