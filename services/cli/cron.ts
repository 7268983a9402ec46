// `antiphon cron`: what comes due when, and what an operator changes about it while the bot runs.

import type { Times } from "../runtime/cron-times.ts";
import { suggestion } from "../runtime/suggest.ts";
import type { ScheduleChange, ScheduleControls, ScheduleInfo } from "../sdk/schedules.ts";
import { audited } from "./audited.ts";
import { columns, type Command, type CommandContext, UsageError } from "./command.ts";
import { askControls } from "./controls.ts";
import { URL_OPTION } from "./url-option.ts";

type Options = CommandContext["options"];
/** Does it to one schedule; answers a line for people. */
type Act = (schedules: ScheduleControls, id: string) => Promise<string>;
interface Verb {
  /** How many ids it takes. */
  readonly ids: "none" | "one" | "many";
  readonly options?: readonly string[];
  /** Judges the options before anybody is asked. @throws UsageError */
  read(options: Options): Act;
  /** It changes something: what the audit log calls it. */
  readonly audit?: string;
}

const TIMES = ["spec", "tz", "every", "misfire", "overlap"];
const many = (audit: string, act: Act): Verb => ({ ids: "many", read: () => act, audit });

const VERBS: Readonly<Record<string, Verb>> = {
  ls: { ids: "none", read: () => async () => "" },
  pause: many("schedule.pause", (schedules, id) => schedules.pause(id).then(() => `${id} is paused`)),
  resume: many("schedule.resume", (schedules, id) => schedules.resume(id).then(() => `${id} is not paused`)),
  run: many("schedule.run", async (schedules, id) => (await schedules.run(id)).id),
  set: { ids: "one", options: TIMES, read: readSet, audit: "schedule.edit" },
  reset: many("schedule.reset", (schedules, id) => schedules.reset(id).then(() => `${id} is as its handler says`)),
  add: { ids: "one", options: [...TIMES, "job", "input", "queue"], read: readAdd, audit: "schedule.add" },
  rm: many("schedule.remove", (schedules, id) => schedules.remove(id).then(() => `${id} is removed`)),
};

function readSet(options: Options): Act {
  const change = changeOf(options);
  if (Object.keys(change).length === 0)
    throw new UsageError(`cron set takes what should change: ${TIMES.map((name) => `--${name}`).join(", ")}.`);
  return (schedules, id) => schedules.set(id, change).then(() => `${id} is changed`);
}

function readAdd(options: Options): Act {
  const { job, queue, input = "{}" } = options;
  if (typeof job !== "string") throw new UsageError("cron add takes --job, and --spec with --tz, or --every.");
  const added = {
    ...changeOf(options),
    job,
    input: jsonOf(String(input)),
    ...(typeof queue === "string" && { queue }),
  };
  return (schedules, id) => schedules.add(id, added).then(() => `${id} is added`);
}

function changeOf(options: Options): ScheduleChange {
  return Object.fromEntries(TIMES.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError("--input takes JSON.");
  }
}

export const cron: Command = {
  name: "cron",
  words: "[ls | pause ID… | resume ID… | run ID… | set ID | reset ID… | add NAME | rm NAME…]",
  help: [
    "Lists the schedules; pauses them; runs one now; changes its times until `reset`; adds one that enqueues a job.",
    "Changes hold within a second and survive deploys.",
  ].join("\n"),
  options: {
    spec: { type: "string", value: "TEXT", help: 'set, add: five fields, e.g. "0 9 * * 1-5"' },
    tz: { type: "string", value: "ZONE", help: "set, add: the time zone of the fields, e.g. Europe/Paris" },
    every: { type: "string", value: "TIME", help: "set, add: a period in place of both, e.g. 15m" },
    misfire: { type: "string", value: "WORD", help: "set, add: of missed slots run the latest, skip them, or run all" },
    overlap: { type: "string", value: "WORD", help: "set, add: allow, or skip a slot while an earlier run goes on" },
    job: { type: "string", value: "JOB", help: "add: the job that it enqueues" },
    input: { type: "string", value: "JSON", help: "add: the job's input ({})" },
    queue: { type: "string", value: "NAME", help: "add: the queue that it goes to (default)" },
    ...URL_OPTION,
    json: { type: "boolean", help: "ls: an array of objects; run: an array of ids" },
  },
  async run({ readConfig, options, words, print }) {
    const [word = "ls", ...ids] = words;
    const { audit: action, ...verb } = verbOf(word, ids, options);
    const act = verb.read(options);
    const { said, list } = await askControls({ options, readConfig }, async ({ schedules }, around) => {
      const change = async (): Promise<string[]> => {
        const said: string[] = [];
        for (const id of ids) said.push(await act(schedules, id));
        return said;
      };
      const said =
        action === undefined
          ? []
          : around === undefined
            ? await change()
            : await audited(around, { action, words: ids, options }, [change, () => false]);
      return { said, list: word === "ls" ? await schedules.list() : [] };
    });
    if (word === "ls") print(options["json"] ? JSON.stringify(list) : table(list));
    else if (options["json"]) print(JSON.stringify(said));
    else for (const line of said) print(line);
    return 0;
  },
};

function verbOf(word: string, ids: readonly string[], options: Options): Verb {
  const verb = Object.hasOwn(VERBS, word) ? VERBS[word] : undefined;
  if (verb === undefined) throw new UsageError(`cron knows no ${word}.${suggestion(word, Object.keys(VERBS))}`);
  const isRight = { none: ids.length === 0, one: ids.length === 1, many: ids.length > 0 }[verb.ids];
  if (!isRight) throw new UsageError(`cron ${word} takes ${{ none: "no ids", one: "one id", many: "ids" }[verb.ids]}.`);
  const known = ["url", "json", "config", "help", ...(verb.options ?? [])];
  for (const name of Object.keys(options))
    if (!known.includes(name)) throw new UsageError(`cron ${word} has no option --${name}.`);
  return verb;
}

function table(list: readonly ScheduleInfo[]): string {
  return columns([["SCHEDULE", "WHEN", "NEXT", "LAST", "MISSED", "OVERLAP", "STATE"], ...list.map(row)]);
}

function row({ id, times, next, last, misfire, overlap, paused, changed, added }: ScheduleInfo): string[] {
  const states = Object.entries({ paused, changed, added }).flatMap(([state, holds]) => (holds ? [state] : []));
  const [nextText = "-", lastText = "-"] = [next?.toISOString(), last?.toISOString()];
  return [id, whenOf(times), nextText, lastText, misfire, overlap, states.join(", ")];
}

function whenOf(times: Times): string {
  return times.kind === "cron" ? `${times.spec} ${times.tz}` : `every ${times.periodMs / 1000} s`;
}
