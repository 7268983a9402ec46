// The options of an enqueue, from what an author wrote to what the broker takes. Whatever is wrong with them is reported.

import {
  isRecord,
  type Options,
  present,
  readCount,
  readDuration,
  refuseUnknown,
  type Report,
} from "./build-options.ts";
import type { EnqueueOptions, Job, Unique } from "./context.ts";
import { durationMs } from "./duration.ts";
import { PLACE_OPTIONS, type PlaceOptions, type PriorityClass, queueName, readPlace } from "./place.ts";

/** How a delivery lies in the broker. */
export interface DeliveryOptions {
  readonly key?: string;
  readonly class?: PriorityClass;
  readonly delayMs?: number;
  /** ms since 1970. */
  readonly dueAtMs?: number;
  readonly uid?: {
    readonly id: string;
    readonly ttlMs: number;
    readonly until?: "start" | "end";
    readonly repeat?: "keep" | "replace" | "debounce";
  };
  readonly after?: readonly string[];
  readonly durability?: "default" | "replica" | "fsync";
}

/** What its envelope says of it. */
export interface HeaderOptions {
  readonly key?: string;
  readonly class?: PriorityClass;
  /** Not run later than this many ms after it was enqueued. */
  readonly ttl?: number;
  /** Not run after this time, ms since 1970. */
  readonly notAfter?: number;
  /** How long its result is kept, ms. */
  readonly result?: number;
  readonly tags?: readonly string[];
}

export interface ReadOptions {
  /** The broker's name. */
  readonly queue: string;
  readonly delivery: DeliveryOptions;
  readonly header: HeaderOptions;
}

export interface OptionsGiven {
  readonly job: Pick<Job, "name" | "queue" | "tag" | "class">;
  readonly options: EnqueueOptions;
  /** Chooses the lane. */
  readonly random: () => number;
}

const KNOWN: ReadonlySet<string> = new Set<keyof EnqueueOptions>([
  ...PLACE_OPTIONS,
  "id",
  "key",
  "lanes",
  "delay",
  "at",
  "expires",
  "uid",
  "unique",
  "after",
  "result",
  "tags",
  "durability",
]);
const DURABILITIES = ["default", "replica", "fsync"] as const;
const UNIQUE_OPTIONS: ReadonlySet<string> = new Set<keyof Unique>(["id", "for", "until", "repeat"]);

const DAY_MS = 86_400_000;
const DELAY_MS_MAX = 3650 * DAY_MS;
const RESULT_MS_MAX = 30 * DAY_MS;
const KEY_BYTES_MAX = 512;
const ID_BYTES_MAX = 256;
const LANES_MAX = 1000;
const AFTER_MAX = 5000;
const TAGS_MAX = 16;
const TAG_BYTES_MAX = 64;

export function readEnqueueOptions({ job, options: given, random }: OptionsGiven, report: Report): ReadOptions {
  if (!isRecord(given)) {
    report("its options must be an object");
    return { queue: "", delivery: {}, header: {} };
  }
  const options: Options = given;
  refuseUnknown(options, KNOWN, report);
  readText(options, "id", { bytes: ID_BYTES_MAX, report });
  const place: PlaceOptions = { ...placeOf(job), ...readPlace(options, report) };
  const lane = readLane(options, random, report);
  const common = { ...present("key", lane), ...present("class", place.class) };
  const due = readDue(options, report);
  return {
    queue: queueName(place),
    delivery: {
      ...common,
      ...due,
      ...present("uid", readUid(job.name, options, report)),
      ...present("after", readAfter(options, report)),
      ...present("durability", readChoice(options, { name: "durability", choices: DURABILITIES }, report)),
    },
    header: {
      ...common,
      ...readExpiry(options, due.delayMs ?? 0, report),
      ...present("result", readTime(options, "result", { maxMs: RESULT_MS_MAX, report })),
      ...present("tags", readTags(options, report)),
    },
  };
}

function placeOf({ queue, tag, class: priority }: OptionsGiven["job"]): PlaceOptions {
  return { ...present("queue", queue), ...present("tag", tag), ...present("class", priority) };
}

/** Each lane is an ordering key, so at most as many deliveries of the key run at a time as it has lanes. */
function readLane(options: Options, random: () => number, report: Report): string | undefined {
  const key = readText(options, "key", { bytes: KEY_BYTES_MAX, report });
  const lanes = readCount(options, "lanes", { max: LANES_MAX, report });
  if (options["lanes"] !== undefined && options["key"] === undefined) report("lanes are those of a key");
  return key === undefined || lanes === undefined ? key : `${key}#${Math.floor(random() * lanes)}`;
}

function readDue(options: Options, report: Report): Pick<DeliveryOptions, "delayMs" | "dueAtMs"> {
  const { delay, at } = options;
  if (delay !== undefined && at !== undefined) report("delay and at exclude each other");
  const delayMs = delay === undefined ? undefined : durationMs(delay);
  if (delay !== undefined && delayMs === undefined)
    report('delay must be a duration such as "10s", "5m" or "24h", and not negative');
  if (delayMs !== undefined && delayMs > DELAY_MS_MAX) report(`delay may be at most ${DELAY_MS_MAX / DAY_MS}d`);
  const dueAtMs = at === undefined ? undefined : readDate(at);
  if (at !== undefined && dueAtMs === undefined) report("at must be a Date");
  return { ...present("delayMs", delayMs === 0 ? undefined : delayMs), ...present("dueAtMs", dueAtMs) };
}

function readExpiry(options: Options, delayMs: number, report: Report): Pick<HeaderOptions, "ttl" | "notAfter"> {
  const { expires } = options;
  if (expires === undefined) return {};
  const notAfter = readDate(expires);
  if (notAfter !== undefined) return { notAfter };
  const ttl = durationMs(expires);
  if (ttl === undefined || ttl === 0) report('expires must be a Date, or a duration such as "10m"');
  else if (ttl <= delayMs) report("it would expire before its delay is over");
  return { ...present("ttl", ttl) };
}

const SHORT: Unique = { id: "", for: "1d" };
/** With `until`, how long it is remembered at most. */
const UNTIL_MS = 30 * DAY_MS;

function readUid(name: string, options: Options, report: Report): DeliveryOptions["uid"] {
  const { uid, unique } = options;
  if (uid !== undefined && unique !== undefined) report("uid and unique exclude each other");
  if (uid !== undefined) {
    const id = readText(options, "uid", { bytes: ID_BYTES_MAX, report });
    return { id: uidOf(name, id), ttlMs: durationMs(SHORT.for) ?? 0 };
  }
  if (unique === undefined) return undefined;
  if (!isRecord(unique)) {
    report('unique must be an object such as { id: "…", until: "end" }');
    return undefined;
  }
  const tell: Report = (text) => report(`unique: ${text}`);
  refuseUnknown(unique, UNIQUE_OPTIONS, tell);
  if (unique["id"] === undefined) tell("id is missing");
  const id = readText(unique, "id", { bytes: ID_BYTES_MAX, report: tell });
  const until = readChoice(unique, { name: "until", choices: ["start", "end"] as const }, tell);
  const repeat = readChoice(unique, { name: "repeat", choices: ["keep", "replace", "debounce"] as const }, tell);
  const forMs = readTime(unique, "for", { maxMs: DELAY_MS_MAX, report: tell });
  const ttlMs = forMs ?? (until === undefined ? DAY_MS : UNTIL_MS);
  return { id: uidOf(name, id), ttlMs, ...present("until", until), ...present("repeat", repeat) };
}

function uidOf(name: string, id = ""): string {
  return `job:${name}\n${id}`;
}

function readAfter(options: Options, report: Report): readonly string[] | undefined {
  const value = options["after"];
  if (value === undefined) return undefined;
  const ids: readonly unknown[] = Array.isArray(value) ? value : [];
  if (!Array.isArray(value) || ids.length > AFTER_MAX || !ids.every(isId)) {
    report(`after must be a list of at most ${AFTER_MAX} ids that enqueue gave`);
    return undefined;
  }
  return ids.length === 0 ? undefined : [...new Set(ids as readonly string[])];
}

function isId(value: unknown): boolean {
  return typeof value === "string" && /^[0-9a-z]{1,11}$/.test(value);
}

function readTags(options: Options, report: Report): readonly string[] | undefined {
  const value = options["tags"];
  if (value === undefined) return undefined;
  const tags: readonly unknown[] = Array.isArray(value) ? value : [];
  if (Array.isArray(value) && tags.length <= TAGS_MAX && tags.every(isTag)) return tags as readonly string[];
  report(`tags must be a list of at most ${TAGS_MAX} texts of at most ${TAG_BYTES_MAX} bytes`);
  return undefined;
}

function isTag(value: unknown): boolean {
  return typeof value === "string" && value !== "" && Buffer.byteLength(value) <= TAG_BYTES_MAX;
}

interface TextLimit {
  readonly bytes: number;
  readonly report: Report;
}

function readText(options: Options, name: string, { bytes, report }: TextLimit): string | undefined {
  const value = options[name];
  if (value === undefined) return undefined;
  if (typeof value === "string" && value !== "" && Buffer.byteLength(value) <= bytes) return value;
  report(`${name} must be a text of 1 to ${bytes} bytes`);
  return undefined;
}

interface TimeLimit {
  readonly maxMs: number;
  readonly report: Report;
}

function readTime(options: Options, name: string, { maxMs, report }: TimeLimit): number | undefined {
  const ms = readDuration(options, name, report);
  if (ms !== undefined && ms > maxMs) report(`${name} may be at most ${maxMs / DAY_MS}d`);
  return ms;
}

interface Choice<C extends string> {
  readonly name: string;
  readonly choices: readonly C[];
}

function readChoice<C extends string>(options: Options, { name, choices }: Choice<C>, report: Report): C | undefined {
  const value = options[name];
  if (value === undefined || choices.includes(value as C)) return value as C | undefined;
  report(`${name} must be ${choices.map((choice) => `"${choice}"`).join(" or ")}`);
  return undefined;
}

/** Of another realm too. */
function readDate(value: unknown): number | undefined {
  if (Object.prototype.toString.call(value) !== "[object Date]") return undefined;
  const ms = Number(value);
  return Number.isFinite(ms) ? ms : undefined;
}
