// Which routes want a message. Pure: who may run them, and whether the arguments fit their schema, is asked later.
//
// Commands must be addressed to the bot. Of the commands that fit, those with the most fixed words run, so that
// "deploy status" does not also deploy an application called status; every `hear` route that fits runs beside them.
// A built-in command runs only where no command of the team fits, and a fallback only where nothing else does.

import type { CommandInfo } from "./context.ts";
import type { Message } from "./message.ts";
import type { PatternPart } from "./pattern.ts";
import type { AnyRoute, ChatRoute, CommandRoute, FallbackRoute, HearRoute } from "./routes.ts";
import { type Word, wordsOf } from "./words.ts";

export interface Names {
  readonly name: string;
  readonly alias: string;
}

/** The chat routes of all handlers, in the order in which they run. */
export interface ChatTable {
  /** Of the team, then built in. */
  readonly commands: readonly [readonly CommandRoute[], readonly CommandRoute[]];
  readonly hears: readonly HearRoute[];
  readonly fallbacks: readonly FallbackRoute[];
}

export interface Matched {
  readonly route: ChatRoute;
  /** Words of a command, named groups of a `hear` pattern; not checked yet. */
  readonly args: Readonly<Record<string, string>>;
  readonly match?: RegExpExecArray;
}

export interface Matching {
  readonly addressed: boolean;
  /** What was said without the bot's name. */
  readonly body: string;
  readonly runs: readonly Matched[];
  /** Commands that were meant, judging by their first words, but whose other words do not fit: tell how they are used. */
  readonly misused: readonly CommandRoute[];
}

/** A fallback of the team replaces the built-in one. */
export function chatTable(team: readonly AnyRoute[], builtin: readonly AnyRoute[] = []): ChatTable {
  const own = ofKind(team, "fallback");
  return {
    commands: [ofKind(team, "command"), ofKind(builtin, "command")],
    hears: [...ofKind(team, "hear"), ...ofKind(builtin, "hear")],
    fallbacks: own.length > 0 ? own : ofKind(builtin, "fallback"),
  };
}

function ofKind<K extends ChatRoute["kind"]>(routes: readonly AnyRoute[], kind: K): Extract<ChatRoute, { kind: K }>[] {
  return routes.filter((route): route is Extract<ChatRoute, { kind: K }> => route.kind === kind);
}

export function matchMessage(table: ChatTable, message: Pick<Message, "text" | "addressed">, names: Names): Matching {
  const { addressed, body } = stripAddress(message, names);
  const { fitting, misused } = addressed ? matchCommands(table, body) : { fitting: [], misused: [] };
  const runs = [...fitting, ...table.hears.flatMap((route) => matchHear(route, body, message.text))];
  const silent = addressed && runs.length === 0 && misused.length === 0;
  const fallbacks = silent ? table.fallbacks.map((route): Matched => ({ route, args: {} })) : runs;
  return { addressed, body, runs: fallbacks, misused };
}

/** `antiphon ping`, `@Antiphon: ping`, `!ping`: was the bot meant, and what was said to it? */
export function stripAddress(
  message: Pick<Message, "text" | "addressed">,
  names: Names,
): { addressed: boolean; body: string } {
  const text = message.text.trim();
  const body = afterName(text, names.name) ?? afterAlias(text, names.alias);
  return { addressed: body !== undefined || message.addressed === true, body: body ?? text };
}

const WORD_CHARACTER = /[\p{L}\p{N}_]/u;

/** The name may have an @ before it and a colon or comma behind it; a longer word that starts like it is not the name. */
function afterName(text: string, name: string): string | undefined {
  const from = text.startsWith("@") ? 1 : 0;
  const end = from + name.length;
  if (name === "" || text.slice(from, end).toLowerCase() !== name.toLowerCase()) return undefined;
  const rest = text.slice(end);
  if (/^[?!.]*$/.test(rest)) return "";
  return /^[:,\s]/.test(rest) ? rest.slice(1).trim() : undefined;
}

/** After `!` must come a word, so that "!!!" is no command; after an alias of letters the word must have ended. */
function afterAlias(text: string, alias: string): string | undefined {
  if (alias === "" || text.slice(0, alias.length).toLowerCase() !== alias.toLowerCase()) return undefined;
  const rest = text.slice(alias.length);
  const isWord = WORD_CHARACTER.test(alias.at(-1) ?? "");
  if (isWord) return rest === "" || /^[:,\s]/.test(rest) ? rest.slice(1).trim() : undefined;
  const body = rest.trimStart();
  return WORD_CHARACTER.test(String.fromCodePoint(body.codePointAt(0) ?? 32)) ? body : undefined;
}

function matchCommands(table: ChatTable, body: string): { fitting: Matched[]; misused: CommandRoute[] } {
  const words = wordsOf(body);
  const misused: CommandRoute[] = [];
  for (const commands of table.commands) {
    const fitting: Matched[] = [];
    for (const route of commands) {
      const args = readArguments(route.parts, words, body);
      if (args === "misused") misused.push(route);
      else if (args !== undefined) fitting.push({ route, args });
    }
    if (fitting.length > 0) return { fitting: mostFixed(fitting, fixedWords), misused: [] };
  }
  return { fitting: [], misused: mostFixed(misused, (route) => leadingWords(route.parts)) };
}

/** The arguments; `misused` when the command's first words are there and the others do not fit. */
function readArguments(
  parts: readonly PatternPart[],
  words: readonly Word[],
  body: string,
): Record<string, string> | "misused" | undefined {
  const leading = leadingWords(parts);
  for (let index = 0; index < leading; index++) {
    if (!isLiteral(parts[index], words[index])) return undefined;
  }
  const unfit = leading > 0 ? "misused" : undefined;
  const args: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    const word = words[index];
    if (part.kind === "literal") {
      if (!isLiteral(part, word)) return unfit;
    } else if (word === undefined) {
      if (part.required) return unfit;
    } else {
      // A rest of one word loses its quotes, a longer one is taken as it was typed.
      args[part.name] = part.rest && index < words.length - 1 ? body.slice(word.at) : word.text;
      if (part.rest) return args;
    }
  }
  return words.length > parts.length ? unfit : args;
}

function isLiteral(part: PatternPart | undefined, word: Word | undefined): boolean {
  return part?.kind === "literal" && word?.text.toLowerCase() === part.word;
}

function leadingWords(parts: readonly PatternPart[]): number {
  const first = parts.findIndex((part) => part.kind === "argument");
  return first < 0 ? parts.length : first;
}

function fixedWords(matched: Matched): number {
  return matched.route.kind === "command" ? matched.route.parts.filter((part) => part.kind === "literal").length : 0;
}

function mostFixed<T>(all: readonly T[], count: (one: T) => number): T[] {
  const most = Math.max(0, ...all.map(count));
  return all.filter((one) => count(one) === most);
}

/** Tried on what was said to the bot, then on the whole text. */
function matchHear(route: HearRoute, body: string, text: string): Matched[] {
  const match = route.pattern.exec(body) ?? (body === text ? null : route.pattern.exec(text));
  if (match === null) return [];
  const groups = Object.entries(match.groups ?? {}).filter(([, value]) => value !== undefined);
  return [{ route, args: Object.fromEntries(groups), match }];
}

/** The ordering key that the route asks for; undefined where it is the Message's own. */
export function orderingKeyOf(route: ChatRoute, message: Message): string | undefined {
  if (route.key === undefined) return undefined;
  if (typeof route.key === "function") return route.key(message);
  if (route.key === "user") return message.user.id;
  return route.key === "thread" && message.thread !== undefined ? `${message.room}\n\n${message.thread}` : message.room;
}

/** What help lists: commands, and `hear` routes that say what they are for. */
export function commandsOf(table: ChatTable, may: (route: ChatRoute) => boolean): CommandInfo[] {
  const [team, builtin] = table.commands;
  const taken = new Set(team.map((route) => route.pattern));
  const commands = [...team, ...builtin.filter((route) => !taken.has(route.pattern))];
  const hears = table.hears.filter((route) => route.help !== undefined);
  return [...commands, ...hears].filter(may).map(infoOf);
}

function infoOf(route: CommandRoute | HearRoute): CommandInfo {
  return Object.freeze({
    route: route.id,
    handler: route.id.slice(0, route.id.indexOf(".")),
    kind: route.kind,
    usage: typeof route.pattern === "string" ? route.pattern : String(route.pattern),
    ...(route.help === undefined ? {} : { help: route.help }),
  });
}
