// The settings file: finds it and reads TypeScript, JavaScript, JSON or YAML.

import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, extname, isAbsolute, resolve } from "node:path";
import { pathToFileURL } from "node:url";

export interface ConfigFile {
  readonly path: string | undefined;
  /** By the names of the table of settings, `handlers` and `adapters` as lists. */
  readonly values: Settings;
  readonly handlerSettings: Readonly<Record<string, Settings>>;
  readonly adapterSettings: Readonly<Record<string, Settings>>;
}

export interface FileSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly file?: string;
}

type Settings = Readonly<Record<string, unknown>>;

const NAMES = ["ts", "js", "json", "yaml"].map((extension) => `antiphon.config.${extension}`);
const NONE: ConfigFile = { path: undefined, values: {}, handlerSettings: {}, adapterSettings: {} };

/** Reads ANTIPHON_CONFIG, else `file`, else the antiphon.config.* of the working folder, else nothing. */
export async function readConfigFile(around: FileSurroundings, problems: string[]): Promise<ConfigFile> {
  const path = findFile(around, problems);
  if (path === undefined) return NONE;
  try {
    const content = await load(path);
    if (isTable(content)) {
      return { path, ...sortOut(plainCopy(content, problems, "") as Settings, dirname(path), problems) };
    }
    problems.push(`${path} must hold an object of settings.`);
  } catch (error) {
    problems.push(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  return { ...NONE, path };
}

/** Folders become absolute, names of packages stay. */
export function fromFolder(folder: string, entry: string): string {
  if (isAbsolute(entry)) return entry;
  const path = resolve(folder, entry);
  return entry.startsWith(".") || existsSync(path) ? path : entry;
}

/** Only what begins with a dot is a path; a folder may be called as an adapter is. */
export function pathFrom(folder: string, entry: string): string {
  return entry.startsWith(".") ? resolve(folder, entry) : entry;
}

/** `./handlers`, unless that folder is there and empty, as it is in the image before an author copies something into it. */
export function handlersOf(cwd: string): readonly string[] {
  const preset = "./handlers";
  try {
    return readdirSync(resolve(cwd, preset)).length > 0 ? [preset] : [];
  } catch {
    return [preset]; // whoever loads it says what is wrong
  }
}

function findFile(around: FileSurroundings, problems: string[]): string | undefined {
  const named = around.env["ANTIPHON_CONFIG"] || around.file;
  if (named !== undefined) {
    const path = resolve(around.cwd, named);
    if (!/\.(ts|mts|js|mjs|json|ya?ml)$/.test(path)) problems.push(`${path} must be a .ts, .js, .json or .yaml file.`);
    else if (existsSync(path)) return path;
    else problems.push(`There is no settings file ${path}.`);
    return undefined;
  }
  const found = NAMES.map((name) => resolve(around.cwd, name)).filter((path) => existsSync(path));
  if (found.length > 1) problems.push(`There are several settings files: ${found.join(", ")}. Keep one.`);
  return found[0];
}

async function load(path: string): Promise<unknown> {
  const extension = extname(path);
  if (extension === ".json") return parseJson(await readFile(path, "utf8"));
  if (extension === ".yaml" || extension === ".yml") return parseYaml(await readFile(path, "utf8"));
  const module = (await import(pathToFileURL(path).href)) as { default?: unknown };
  return module.default;
}

/** The parser's own message quotes the text, and with it perhaps a secret: only the place is told. */
function parseJson(content: string): unknown {
  try {
    return JSON.parse(content) as unknown;
  } catch (error) {
    const place = /line \d+ column \d+/.exec(String(error))?.[0];
    throw new Error(`it is no valid JSON${place === undefined ? "" : ` (${place})`}`, { cause: error });
  }
}

/** The parser is 12 MiB in memory, which a process without such a file does not need. */
async function parseYaml(content: string): Promise<unknown> {
  const { LineCounter, parseDocument } = await import("yaml");
  const lines = new LineCounter();
  const document = parseDocument(content, { lineCounter: lines, prettyErrors: false });
  const places = document.errors.map(({ code, pos }) => {
    const { line, col } = lines.linePos(pos[0]);
    return `line ${line} column ${col}: ${code.toLowerCase().replaceAll("_", " ")}`;
  });
  if (places.length > 0) throw new Error(`it is no valid YAML (${places.join("; ")})`);
  return (document.toJS() as unknown) ?? {};
}

/** Settings cross threads and processes, so they hold what JSON can hold. */
function plainCopy(value: unknown, problems: string[], where: string): unknown {
  if (Array.isArray(value)) return value.map((entry, index) => plainCopy(entry, problems, `${where}[${index}]`));
  if (isTable(value)) {
    const entries = Object.entries(value).filter(([, part]) => part !== undefined);
    return Object.fromEntries(
      entries.map(([key, part]) => [key, plainCopy(part, problems, where === "" ? key : `${where}.${key}`)]),
    );
  }
  if (value === null || ["string", "number", "boolean"].includes(typeof value)) return value;
  problems.push(`${where} must be plain data, as JSON can hold it.`);
  return undefined;
}

/** `handlers` and `adapters` are lists, or objects that also hold the settings of each. */
function sortOut(table: Settings, folder: string, problems: string[]): Omit<ConfigFile, "path"> {
  const { handlers, folders, adapters, outbox, ...values } = table;
  const settled: Record<string, unknown> = { ...values, ...outboxValues(outbox, problems) };
  if (folders !== undefined && handlers !== undefined && !isTable(handlers))
    problems.push(
      "handlers and folders both say where handlers are; give `handlers` the settings of each, or leave `folders` out.",
    );
  const where = isTable(handlers) ? folders : (folders ?? handlers);
  if (where !== undefined) settled["handlers"] = located(where, folder);
  const chat = isTable(adapters)
    ? Object.fromEntries(Object.entries(adapters).map(([name, of]) => [pathFrom(folder, name), of]))
    : adapters;
  if (isTable(chat)) settled["adapters"] = Object.keys(chat);
  else if (chat !== undefined) settled["adapters"] = chatList(chat, folder);
  return {
    values: settled,
    handlerSettings: tables(handlers, "handlers", problems),
    adapterSettings: tables(chat, "adapters", problems),
  };
}

/** `outbox: { redirect }` is the setting `outboxRedirect`. */
function outboxValues(outbox: unknown, problems: string[]): Settings {
  if (outbox === undefined || outbox === null) return {};
  if (!isTable(outbox)) {
    problems.push("outbox must be an object of settings.");
    return {};
  }
  return Object.fromEntries(
    Object.entries(outbox).map(([name, value]) => [`outbox${name.slice(0, 1).toUpperCase()}${name.slice(1)}`, value]),
  );
}

function located(entries: unknown, folder: string): unknown {
  const list: unknown = typeof entries === "string" ? entries.split(",").map((entry) => entry.trim()) : entries;
  if (!Array.isArray(list)) return list;
  return list.map((entry: unknown) => (typeof entry === "string" && entry !== "" ? fromFolder(folder, entry) : entry));
}

function chatList(entries: unknown, folder: string): unknown {
  const list: unknown = typeof entries === "string" ? entries.split(",").map((entry) => entry.trim()) : entries;
  if (!Array.isArray(list)) return list;
  return list.map((entry: unknown) => (typeof entry === "string" ? pathFrom(folder, entry) : entry));
}

function tables(value: unknown, where: string, problems: string[]): Record<string, Settings> {
  if (!isTable(value)) return {};
  const found: Record<string, Settings> = {};
  for (const [name, settings] of Object.entries(value)) {
    if (settings === null) continue;
    if (isTable(settings)) found[name] = settings;
    else problems.push(`${where}.${name} must be an object of settings.`);
  }
  return found;
}

function isTable(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
