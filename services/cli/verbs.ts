// Commands with verbs (`queue ls`, `job show ID`): which verb is meant, what it takes, and how its answer is printed.

import { suggestion } from "../runtime/suggest.ts";
import { audited } from "./audited.ts";
import { columns, type Command, type CommandContext, type Option, UsageError } from "./command.ts";
import { askControls, type Controls } from "./controls.ts";
import { URL_OPTION } from "./url-option.ts";

export type Options = CommandContext["options"];

export interface Given {
  readonly queue: Controls;
  /** After the verb. */
  readonly words: readonly string[];
  readonly options: Options;
}

export interface Answer {
  /** For `--json`. */
  readonly json: unknown;
  /** For people. */
  readonly lines: readonly string[];
  /** 1: something that was asked for could not be done. Default 0. */
  readonly code?: 0 | 1;
}

export interface Verb {
  /** As the help shows what follows it, e.g. `ID…`. */
  readonly words?: string;
  /** How many follow it: none unless given. */
  readonly takes?: "one" | "some" | "any";
  readonly help: string;
  /** Names of those options of the command that it has, besides `--json`. */
  readonly options?: readonly string[];
  /** It changes something: what the audit log calls it. */
  readonly audit?: string;
  /** Throws UsageError before anything is asked. */
  readonly check?: (given: Omit<Given, "queue">) => void;
  readonly run: (given: Given) => Promise<Answer>;
}

export interface VerbsOptions {
  readonly name: string;
  readonly help: string;
  readonly options: Readonly<Record<string, Option>>;
  readonly verbs: Readonly<Record<string, Verb>>;
  /** Meant when no verb is named. */
  readonly preset?: string;
}

const OF_ALL: Readonly<Record<string, Option>> = {
  ...URL_OPTION,
  json: { type: "boolean", help: "as JSON, for machines" },
};

export function verbsCommand(spec: VerbsOptions): Command {
  const { name, verbs, options } = spec;
  return {
    name,
    words: Object.keys(verbs).join("|"),
    help: `${spec.help}\n\n${verbTable(verbs)}`,
    options: { ...Object.fromEntries(Object.entries(options).map((row) => withVerbs(row, verbs))), ...OF_ALL },
    run: (context) => runVerb(spec, context),
  };
}

export async function runVerb(spec: VerbsOptions, context: CommandContext): Promise<number> {
  const { name, verbs, preset } = spec;
  const { options, print } = context;
  const [word = preset ?? "", ...words] = context.words;
  const verb = Object.hasOwn(verbs, word) ? verbs[word] : undefined;
  if (verb === undefined) {
    if (word === "") throw new UsageError(`${name} takes a verb: ${Object.keys(verbs).join(", ")}.`);
    throw new UsageError(`${name} knows no ${word}.${suggestion(word, Object.keys(verbs))}`);
  }
  checkOptions(`${name} ${word}`, verb, options);
  checkWords(`${name} ${word}`, verb, words);
  verb.check?.({ words, options });
  const answer = await askControls(context, (queue, around) => {
    const run = (): Promise<Answer> => verb.run({ queue, words, options });
    if (verb.audit === undefined || around === undefined) return run();
    return audited(around, { action: verb.audit, words, options }, [run, ({ code }) => code === 1]);
  });
  if (options["json"]) print(JSON.stringify(answer.json));
  else for (const line of answer.lines) print(line);
  return answer.code ?? 0;
}

const EVERYWHERE = ["url", "json", "config", "help"];

function checkOptions(name: string, verb: Verb, options: Options): void {
  const known = [...(verb.options ?? []), ...EVERYWHERE];
  const strange = Object.keys(options).find((option) => !known.includes(option));
  if (strange === undefined) return;
  const flags = known.map((option) => `--${option}`);
  throw new UsageError(`${name} has no option --${strange}.${suggestion(`--${strange}`, flags)}`);
}

function checkWords(name: string, { takes, words: said = "" }: Verb, words: readonly string[]): void {
  if (takes === undefined && words.length > 0) throw new UsageError(`${name} takes no words, and got ${words[0]}.`);
  const isFit = takes === "one" ? words.length === 1 : takes !== "some" || words.length > 0;
  if (!isFit) throw new UsageError(`${name} takes ${said}.`);
}

function verbTable(verbs: VerbsOptions["verbs"]): string {
  return columns(Object.entries(verbs).map(([word, { words = "", help }]) => [`${word} ${words}`.trimEnd(), help]));
}

function withVerbs([option, row]: [string, Option], verbs: VerbsOptions["verbs"]): [string, Option] {
  const having = Object.entries(verbs).flatMap(([word, verb]) => (verb.options?.includes(option) ? [word] : []));
  const some = having.length < Object.keys(verbs).length && having.length > 0;
  return [option, some ? { ...row, help: `${row.help} [${having.join(", ")}]` } : row];
}
