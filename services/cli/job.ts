// `antiphon job …`: single deliveries by the id that a 202 or `enqueue` returned: looked at, changed, ended, enqueued.

import type { ListedOne, Shown } from "../queue/queue.ts";
import { columns, type Command } from "./command.ts";
import { changeOf, enqueueOptions, searchOf, STATES, whenOf } from "./job-options.ts";
import { countOf, durationOf, FILTER_OPTIONS, FILTERS, given, jsonOf } from "./option-values.ts";
import { ago, until } from "./times.ts";
import { type Answer, type Given, verbsCommand } from "./verbs.ts";

const LIMIT_MAX = 9999;
const ENQUEUE =
  "input queue tag class key lanes delay at expires after tags unique until repeat durability result wait".split(" ");

export const job: Command = verbsCommand({
  name: "job",
  help: "Single deliveries: jobs, webhooks, events, messages. An ID is what the 202 or `enqueue` returned; retries keep it.",
  preset: "ls",
  options: {
    ...FILTER_OPTIONS,
    queue: { type: "string", value: "NAME", help: "ls: only this queue; enqueue: into it" },
    key: { type: "string", value: "KEY", help: "ls: only this ordering key; enqueue: under it" },
    tag: { type: "string", value: "TAG", help: "ls: only what has it; enqueue: only for workers that serve it" },
    state: { type: "string", value: "LIST", help: `only these: ${STATES.join(", ")}` },
    running: { type: "boolean", help: "the same as --state claimed" },
    limit: { type: "string", value: "N", help: "at most so many (50)" },
    input: { type: "string", value: "JSON", help: "its input ({} for a new one)" },
    class: { type: "string", value: "0-3", help: "priority: 0 is served first most of the time, 3 last" },
    delay: { type: "string", value: "TIME", help: "so long from now, e.g. 10m; 0s is at once" },
    at: { type: "string", value: "TIME", help: "then, e.g. 2026-03-01T09:00:00Z" },
    expires: { type: "string", value: "TIME", help: "it is not begun later than this long after the enqueue" },
    tags: { type: "string", value: "LIST", help: "labels to find it by" },
    lanes: { type: "string", value: "N", help: "so many of its key at a time" },
    after: { type: "string", value: "LIST", help: "ids of what must have finished before" },
    unique: { type: "string", value: "TEXT", help: "once a day under this text; a repeat is given the first one's id" },
    until: { type: "string", value: "WORD", help: "with --unique: until the first one's start or end" },
    repeat: { type: "string", value: "WORD", help: "with --unique: keep, replace or debounce the first one" },
    durability: { type: "string", value: "WORD", help: "default, replica or fsync: what is waited for" },
    result: { type: "string", value: "TIME", help: "how long its result is kept" },
    wait: { type: "string", value: "TIME", help: "awaits its result so long and prints it" },
  },
  verbs: {
    ls: {
      help: "lists deliveries in any state",
      options: [...FILTERS, "state", "running", "limit"],
      check: ({ options }) => void [searchOf(options), countOf(options, "limit", LIMIT_MAX)],
      run: list,
    },
    show: { words: "ID", takes: "one", help: "everything that is known of one", run: show },
    enqueue: {
      words: "JOB",
      takes: "one",
      audit: "job.enqueue",
      help: "enqueues a job, by its name or the id of its route",
      options: ENQUEUE,
      check: ({ options }) => void [enqueueOptions(options), jsonOf(options, "input"), durationOf(options, "wait")],
      run: enqueue,
    },
    retry: {
      words: "ID…",
      takes: "some",
      audit: "job.retry",
      help: "runs dead ones again",
      run: (given) =>
        each(given, async (id) => ((await given.queue.retry(id)) ? "will run again" : "is no dead letter")),
    },
    edit: {
      words: "ID",
      takes: "one",
      audit: "job.edit",
      help: "another input or class, while nobody runs it",
      options: ["input", "class"],
      check: ({ options }) => void changeOf(options),
      run: (given) => each(given, (id) => given.queue.edit(id, changeOf(given.options))),
    },
    reschedule: {
      words: "ID",
      takes: "one",
      audit: "job.edit",
      help: "another time, while nobody runs it; it rejoins its key at the end",
      options: ["delay", "at"],
      check: ({ options }) => void whenOf(options),
      run: (given) => each(given, (id) => given.queue.reschedule(id, whenOf(given.options))),
    },
    delete: {
      words: "ID…",
      takes: "some",
      audit: "job.delete",
      help: "forgets one that nobody runs, dead letters too",
      run: (given) => each(given, (id) => remove(given, id)),
    },
    kill: {
      words: "ID…",
      takes: "some",
      audit: "job.cancel",
      help: "ends one that runs: its signal first, then its thread",
      run: (given) => each(given, (id) => kill(given, id)),
    },
  },
});

async function list({ queue, options }: Given): Promise<Answer> {
  const limit = countOf(options, "limit", LIMIT_MAX) ?? 50;
  const jobs = new Map<string, ListedOne>();
  let cursor: string | undefined;
  do {
    const page = await queue.search({ ...searchOf(options), limit: limit - jobs.size, ...given({ cursor }) });
    for (const one of page.found) jobs.set(one.id, one);
    cursor = page.cursor;
  } while (cursor !== undefined && jobs.size < limit);
  const head = ["ID", "QUEUE", "ROUTE", "STATE", "KEY", "ATTEMPTS", "SINCE", ""];
  return { json: [...jobs.values()], lines: [columns([head, ...[...jobs.values()].map(row)])] };
}

function row({ id, queue, route, kind, state, key = "-", attempts, since, due, worker, reason }: ListedOne): string[] {
  const more = due === undefined ? (worker ?? reason?.split("\n")[0]?.slice(0, 80) ?? "") : `due ${until(due)}`;
  return [id, queue, route ?? kind ?? "-", state, key, String(attempts), ago(since), more];
}

async function show({ queue, words: [id = ""] }: Given): Promise<Answer> {
  const shown = await queue.find(id);
  if (shown === undefined) return missing(id);
  return { json: shown, lines: [columns(factsOf(shown))] };
}

function factsOf(shown: Shown): string[][] {
  const { errors, steps, tags, body, enqueuedAt, due, progress, ...plain } = shown;
  const facts = Object.entries(plain).map(([name, value]) => [name, String(value)]);
  facts.push(["enqueued", `${enqueuedAt.toISOString()}, ${ago(enqueuedAt)}`]);
  if (due !== undefined) facts.push(["due", `${due.toISOString()}, ${until(due)}`]);
  if (tags.length > 0) facts.push(["tags", tags.join(" ")]);
  if (progress !== undefined) facts.push(["progress", JSON.stringify(progress)]);
  if (steps.length > 0) facts.push(["steps", steps.join(" ")]);
  for (const { attempt, error } of errors) facts.push([`attempt ${attempt}`, error.split("\n")[0] ?? ""]);
  facts.push(["body", body.length > 2000 ? `${body.slice(0, 2000)}…` : body]);
  return facts;
}

async function enqueue({ queue, words: [name = ""], options }: Given): Promise<Answer> {
  const input = options["input"] === undefined ? {} : jsonOf(options, "input");
  const wait = durationOf(options, "wait");
  const { id, duplicate } = await queue.enqueue(name, input, enqueueOptions(options));
  if (wait !== undefined) {
    const result = await queue.result(id, { timeout: wait });
    return { json: { id, duplicate, result }, lines: [id, JSON.stringify(result) ?? "no result"] };
  }
  return { json: { id, duplicate }, lines: [duplicate ? `${id} (there already)` : id] };
}

async function remove({ queue }: Given, id: string): Promise<string> {
  const found = await queue.find(id);
  if (found === undefined) return "unknown";
  if (found.state === "claimed") return "claimed";
  if (found.state === "dead") return (await queue.dead.purge(id)).count > 0 ? "deleted" : "unknown";
  const cancelled = await queue.cancel(id);
  return cancelled === "cancelled" ? "deleted" : cancelled;
}

async function kill({ queue }: Given, id: string): Promise<string> {
  const found = await queue.find(id);
  if (found !== undefined && found.state !== "claimed") return "does not run";
  return queue.cancel(id);
}

/** What came of it, in words; those that are not here are successes. */
const FAILED: Readonly<Record<string, string>> = {
  unknown: "There is no delivery",
  claimed: "runs, and can be ended with `job kill`",
  dead: "is dead: `job retry` runs it again",
  held: "waits for others, so it has no time of its own",
  "is no dead letter": "is no dead letter",
  "does not run": "does not run: `job delete` forgets it",
};

const DONE: Readonly<Record<string, string>> = {
  edited: "is changed",
  signalled: "is being ended",
  deleted: "is deleted",
  cancelled: "is deleted",
};

async function each({ words }: Given, act: (id: string) => Promise<string>): Promise<Answer> {
  const outcomes: { id: string; outcome: string }[] = [];
  for (const id of words) outcomes.push({ id, outcome: await act(id) });
  const lines = outcomes.map(({ id, outcome }) => {
    if (outcome === "unknown") return `There is no delivery ${id}.`;
    return `${id} ${FAILED[outcome] ?? DONE[outcome] ?? outcome}`;
  });
  return { json: outcomes, lines, code: outcomes.some(({ outcome }) => Object.hasOwn(FAILED, outcome)) ? 1 : 0 };
}

function missing(id: string): Answer {
  return { json: null, lines: [`There is no delivery ${id}. What has finished is in \`queue show\`.`], code: 1 };
}
