// The settings of one handler: what the file says under `handlers.<name>`, overridden by variables
// ANTIPHON_HANDLER_<NAME>_<SETTING>, checked by the handler's own schema.

import type { Schema } from "../sdk/infer.ts";
import type { HandlerShape } from "../sdk/routes.ts";
import { suggestion } from "../runtime/suggest.ts";

export const VARIABLE_PREFIX = "ANTIPHON_HANDLER_";

export interface SettingsSource {
  /** Handler name -> its settings as written in the configuration file. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Variables; those of other prefixes are not looked at. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface Settled {
  readonly config: unknown;
  readonly problems: readonly string[];
}

export interface SortedVariables {
  /** Handler name -> setting -> text. */
  readonly of: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Variables that no handler claims. */
  readonly stray: readonly string[];
}

/** `hookSecret` of the handler `git-hub` is ANTIPHON_HANDLER_GIT_HUB_HOOK_SECRET; of `git` and `git-hub` the latter gets it. */
export function sortVariables(
  handlers: readonly string[],
  environment: SettingsSource["environment"],
): SortedVariables {
  const of = new Map<string, Map<string, string>>(handlers.map((name) => [name, new Map<string, string>()]));
  const longestFirst = [...handlers].sort((a, b) => b.length - a.length);
  const stray: string[] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || !name.startsWith(VARIABLE_PREFIX)) continue;
    const handler = longestFirst.find((candidate) => name.startsWith(prefixOf(candidate)));
    if (handler === undefined) stray.push(name);
    else of.get(handler)?.set(camelCase(name.slice(prefixOf(handler).length)), value);
  }
  return { of, stray };
}

function prefixOf(handler: string): string {
  return `${VARIABLE_PREFIX}${handler.replace(/[^A-Za-z0-9]/g, "_").toUpperCase()}_`;
}

function camelCase(name: string): string {
  return name.toLowerCase().replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** What a handler's settings are in the file, and what variables say over it. */
export interface Written {
  readonly file: unknown;
  readonly variables: ReadonlyMap<string, string>;
}

export async function settleConfig(shape: HandlerShape, { file, variables }: Written): Promise<Settled> {
  if (file !== undefined && !isRecord(file)) return { config: undefined, problems: ["its settings must be a map"] };
  if (shape.config === undefined) return withoutSchema(file, variables);
  const first = await check(shape.config, { ...file, ...Object.fromEntries(variables) });
  if (first.problems.length === 0 || variables.size === 0) return first;
  // Variables are text: where the schema wants a number, a flag or a list, it gets what the text says as JSON.
  const parsed = [...variables].map(([key, text]) => [key, first.paths.has(key) ? asJson(text) : text] as const);
  return check(shape.config, { ...file, ...Object.fromEntries(parsed) });
}

/** Without a schema nothing is known of the settings, so they are given as they are written. */
function withoutSchema(file: Record<string, unknown> | undefined, variables: ReadonlyMap<string, string>): Settled {
  if (variables.size === 0) return { config: file, problems: [] };
  return { config: Object.freeze({ ...file, ...Object.fromEntries(variables) }), problems: [] };
}

interface Checked extends Settled {
  /** The settings that the schema complained about. */
  readonly paths: ReadonlySet<string>;
}

async function check(schema: Schema, input: Readonly<Record<string, unknown>>): Promise<Checked> {
  const read = new Set<string>();
  const watched = recordReads(input, read);
  const result = await schema["~standard"].validate(watched);
  if (result.issues) {
    const paths = new Set(result.issues.map((issue) => String(pathOf(issue.path)[0] ?? "")));
    return { config: undefined, problems: result.issues.map((issue) => issueLine(issue)), paths };
  }
  const value = result.value === watched ? { ...input } : result.value;
  const unknown = Object.keys(input).filter((key) => !read.has(key) && !(isRecord(value) && key in value));
  const problems = unknown.map((key) => `${key}: unknown setting.${suggestion(key, read)}`);
  return { config: Object.freeze(value), problems, paths: new Set(unknown) };
}

/** A schema that strips keys it does not know never looks at them, so unknown ones are noticed whatever its make. */
function recordReads(input: Readonly<Record<string, unknown>>, read: Set<string>): unknown {
  return new Proxy(
    { ...input },
    {
      get(target, key) {
        if (typeof key === "string") read.add(key);
        return Reflect.get(target, key) as unknown;
      },
    },
  );
}

type Path = readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;

function pathOf(path: Path): PropertyKey[] {
  return (path ?? []).map((part) => (typeof part === "object" ? part.key : part));
}

function issueLine(issue: { readonly message: string; readonly path?: Path }): string {
  const path = pathOf(issue.path).map(String).join(".");
  return path === "" ? issue.message : `${path}: ${issue.message}`;
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
