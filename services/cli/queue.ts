// `antiphon queue ls|show|pause|resume|limit`: how much waits, what is held back, and what came of the last runs.

import type { HistoryEntry, Limits, QueueInfo } from "../queue/queue.ts";
import { type Duration, durationMs } from "../sdk/duration.ts";
import { columns, type Command, UsageError } from "./command.ts";
import { countOf, given, textOf } from "./option-values.ts";
import { ago } from "./times.ts";
import { type Answer, type Given, type Options, verbsCommand } from "./verbs.ts";

const HISTORY_MAX = 1000;
const COUNT_MAX = 1_000_000;

export const queue: Command = verbsCommand({
  name: "queue",
  help: "Queues: what is in them, who serves them, what holds them back.",
  preset: "ls",
  options: {
    route: { type: "string", value: "ID", help: "only what this route does" },
    key: { type: "string", value: "KEY", help: "only this ordering key" },
    rate: { type: "string", value: "N/TIME", help: "runs that may begin, e.g. 100/1m" },
    burst: { type: "string", value: "N", help: "so many of them may begin at once" },
    concurrency: { type: "string", value: "N", help: "runs at a time, over all workers" },
    off: { type: "boolean", help: "takes the limits away" },
    limit: { type: "string", value: "N", help: "entries of the history (10)" },
  },
  verbs: {
    ls: {
      help: "all queues: ready, claimed by a worker, due later, held back, dead; how many come, how long they run",
      run: list,
    },
    show: {
      words: "NAME",
      takes: "one",
      help: "one queue: its workers, pauses and limits, and the last runs",
      options: ["limit"],
      check: ({ options }) => void countOf(options, "limit", HISTORY_MAX),
      run: show,
    },
    pause: {
      words: "NAME",
      takes: "one",
      audit: "queue.pause",
      help: "nothing new of it begins; what runs runs on",
      options: ["route", "key"],
      check: checkWhat,
      run: (given) => hold(given, "paused"),
    },
    resume: {
      words: "NAME",
      takes: "one",
      audit: "queue.resume",
      help: "takes a pause back",
      options: ["route", "key"],
      check: checkWhat,
      run: (given) => hold(given, "resumed"),
    },
    limit: {
      words: "NAME",
      takes: "one",
      audit: "queue.limit",
      help: "limits what begins of it, over all workers",
      options: ["rate", "burst", "concurrency", "off"],
      check: ({ options }) => void limitsOf(options),
      run: limit,
    },
  },
});

async function list({ queue }: Given): Promise<Answer> {
  const depths = await queue.depths();
  const infos = await Promise.all(
    depths.map((depth) => (depth.name.startsWith("outbox/") ? { ...depth, ...NO_INFO } : queue.show(depth.name))),
  );
  const rows = infos.map((info) => [
    info.name,
    ...[info.ready, info.claimed, info.delayed, info.held, info.paused, info.dead, info.workers.length].map(String),
    ...rates(info),
    heldBack(info),
  ]);
  const head = ["QUEUE", "READY", "CLAIMED", "DELAYED", "HELD", "PAUSED", "DEAD", "WORKERS", "PER S", "MEAN MS", ""];
  return { json: infos, lines: [columns([head, ...rows])] };
}

const NO_INFO = { workers: [], pauses: [], limits: {} } as const;

/** How many come in a second, and how long they run. Nobody counts it of outboxes. */
function rates({ arrivalsPerSecond, meanRunMs }: Partial<QueueInfo>): string[] {
  return [arrivalsPerSecond?.toFixed(1) ?? "", meanRunMs?.toFixed(meanRunMs < 10 ? 1 : 0) ?? ""];
}

function heldBack({ pauses, limits }: Pick<QueueInfo, "pauses" | "limits">): string {
  const words = [];
  if (pauses.some(({ kind }) => kind === "queue")) words.push("paused");
  else if (pauses.length > 0) words.push(`${pauses.length} paused in it`);
  if (Object.keys(limits).length > 0) words.push("limited");
  return words.join(", ");
}

async function show({ queue, words: [name = ""], options }: Given): Promise<Answer> {
  const [info, history] = await Promise.all([
    queue.show(name),
    queue.history(name, { limit: countOf(options, "limit", HISTORY_MAX) ?? 10 }),
  ]);
  const { ready, claimed, delayed, held, paused, dead, workers, pauses, limits } = info;
  const [perSecond = "", meanMs = ""] = rates(info);
  const facts = [
    ["ready", String(ready)],
    ["claimed", String(claimed)],
    ["delayed", String(delayed)],
    ["held", String(held)],
    ["set aside", String(paused)],
    ["dead", String(dead)],
    ["come in a second", perSecond],
    ["run for", meanMs === "" ? "nobody knows yet" : `${meanMs} ms`],
    ["workers", workers.join(" ") || "none"],
    ...pauses.map(({ kind, route, key, since }) => [
      "paused",
      `${[kind, route ?? key].join(" ").trim()} ${ago(since)}`,
    ]),
    ...limitRows(limits),
  ];
  const lines = [columns(facts)];
  if (history.length > 0) lines.push("", columns([["AT", "ID", "ROUTE", "OUTCOME", "MS", ""], ...history.map(run)]));
  return { json: { ...info, history }, lines };
}

function run({ at, id, routes, outcome, ms, error = "" }: HistoryEntry): string[] {
  return [at.toISOString(), id, routes.join(" "), outcome, String(ms), firstLine(error)];
}

function firstLine(text: string): string {
  return text.split("\n")[0]?.slice(0, 100) ?? "";
}

function limitRows({ rate, concurrency }: Limits): string[][] {
  const rows = [];
  if (rate) rows.push(["rate", `${rate.limit}/${rate.per}${rate.burst ? `, ${rate.burst} at once` : ""}`]);
  if (concurrency !== undefined) rows.push(["concurrency", String(concurrency)]);
  return rows;
}

function checkWhat({ options }: { options: Options }): void {
  if (options["route"] !== undefined && options["key"] !== undefined)
    throw new UsageError("--route and --key exclude each other.");
}

async function hold({ queue, words: [name = ""], options }: Given, done: "paused" | "resumed"): Promise<Answer> {
  const what = given({ route: textOf(options, "route"), key: textOf(options, "key") });
  await (done === "paused" ? queue.pause(name, what) : queue.resume(name, what));
  const { pauses } = await queue.show(name);
  const named = what.route ?? (what.key === undefined ? "" : `key ${what.key}`);
  return { json: { name, pauses }, lines: [`${name}${named === "" ? "" : `, ${named},`} is ${done}`] };
}

async function limit({ queue, words: [name = ""], options }: Given): Promise<Answer> {
  await queue.limit(name, limitsOf(options));
  const { limits } = await queue.show(name);
  const rows = limitRows(limits);
  return { json: { name, limits }, lines: [rows.length === 0 ? `${name} has no limits` : columns(rows)] };
}

/** Null: none. */
function limitsOf(options: Options): Limits | null {
  const concurrency = countOf(options, "concurrency", COUNT_MAX);
  const burst = countOf(options, "burst", COUNT_MAX);
  const text = textOf(options, "rate");
  if (options["off"] === true) {
    if (concurrency !== undefined || text !== undefined) throw new UsageError("--off goes without other limits.");
    return null;
  }
  if (concurrency === undefined && text === undefined)
    throw new UsageError("queue limit takes --rate, --concurrency or --off.");
  const [, count, per = ""] = /^([1-9]\d{0,6})\/(.+)$/.exec(text ?? "") ?? [];
  if (text !== undefined && (count === undefined || (durationMs(per) ?? 0) <= 0))
    throw new UsageError("--rate takes a number and a time, e.g. 100/1m.");
  const rate = text === undefined ? undefined : { limit: Number(count), per: per as Duration, ...given({ burst }) };
  return given({ rate, concurrency }) as Limits;
}
