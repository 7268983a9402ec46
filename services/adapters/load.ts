// The adapters that ANTIPHON_ADAPTERS names: those that come with Antiphon, and modules of packages and paths. All are
// looked at before anything starts, and all problems are told at once.

import { suggestion } from "../runtime/suggest.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { resolveOwnName } from "../runtime/own-name.ts";
import {
  type AdapterManifest,
  type AdapterModule,
  capabilitiesOf,
  type Capability,
  type Settings,
} from "../sdk/adapter.ts";
import { runSchema } from "../sdk/schema.ts";
import { type AdapterKind, builtInAdapter, BUILT_IN } from "./index.ts";
import { importAdapter } from "./module.ts";
import { moduleProblems } from "./shape.ts";

/** As the configuration has them. */
export interface AdapterSources {
  /** Names, packages and paths. */
  readonly adapters: readonly string[];
  /** By the entry of `adapters`. */
  readonly adapterSettings: Readonly<Record<string, Settings>>;
  /** ANTIPHON_ADAPTER_<NAME>_<SETTING>: for adapters that do not come with Antiphon. */
  readonly adapterVariables: Readonly<Record<string, string>>;
  /** Where packages are looked for. */
  readonly cwd: string;
}

export interface LoadedAdapter extends AdapterKind {
  /** The first part of its units and rooms. */
  readonly name: string;
  readonly settings: Settings;
}

/** What a worker needs to know of it. */
export interface AdapterFacts {
  readonly name: string;
  readonly can: readonly Capability[];
}

export function adapterFacts(adapters: readonly { readonly manifest: AdapterManifest }[]): AdapterFacts[] {
  return adapters.map(({ manifest }) => ({ name: manifest.name, can: [...capabilitiesOf(manifest.caps)] }));
}

const PREFIX = "ANTIPHON_ADAPTER_";
/** Of every adapter; Antiphon itself reads them. */
const COMMON: Readonly<Record<string, readonly unknown[]>> = { order: ["user", "room"], inDoubt: ["retry", "drop"] };

interface Problems {
  /** It could not be loaded at all. */
  readonly load: string[];
  readonly invalid: string[];
}

/** Throws ADAPTER_LOAD_FAILED or ADAPTER_INVALID with every problem of every adapter. */
export async function loadAdapters(sources: AdapterSources): Promise<readonly LoadedAdapter[]> {
  const problems: Problems = { load: [], invalid: [] };
  const loaded: LoadedAdapter[] = [];
  const claimed = new Set<string>();
  for (const source of sources.adapters) {
    const kind = builtInAdapter(source);
    const settings = sources.adapterSettings[source] ?? {};
    if (kind !== undefined) loaded.push({ ...kind, name: source, settings });
    else loaded.push(...(await loadOne(source, sources, { problems, claimed })));
  }
  const names = loaded.map(({ name }) => name);
  for (const name of new Set(names.filter((one, index) => names.indexOf(one) !== index)))
    problems.invalid.push(`several adapters are called ${name}`);
  for (const variable of Object.keys(sources.adapterVariables))
    if (!claimed.has(variable)) problems.invalid.push(`${variable}: no adapter of one's own claims it`);
  const lines = [...problems.load, ...problems.invalid].map((line) => `\n  ${line}`).join("");
  if (problems.load.length > 0) throw new AntiphonError("ADAPTER_LOAD_FAILED", lines);
  if (problems.invalid.length > 0) throw new AntiphonError("ADAPTER_INVALID", lines);
  return loaded;
}

async function loadOne(
  source: string,
  { adapterSettings, adapterVariables, cwd }: AdapterSources,
  { problems, claimed }: { problems: Problems; claimed: Set<string> },
): Promise<LoadedAdapter[]> {
  resolveOwnName();
  const imported = await importAdapter(source, cwd);
  if (!imported.ok) {
    const hint = /[./]/.test(source) ? "" : suggestion(source, Object.keys(BUILT_IN));
    problems.load.push(`${source}: ${imported.reason}${hint}`);
    return [];
  }
  const wrong = moduleProblems(imported.value);
  problems.invalid.push(...wrong.map((reason) => `${source}: ${reason}`));
  if (wrong.length > 0) return [];
  const module = imported.value as AdapterModule;
  const { name } = module.manifest;
  if (builtInAdapter(name) !== undefined)
    problems.invalid.push(`${source}: ${name} is the name of one of Antiphon's own`);
  const variables = variablesOf(name, adapterVariables);
  for (const { variable } of variables) claimed.add(variable);
  const written = adapterSettings[source] ?? {};
  const settled = await settledSettings(
    module,
    written,
    Object.fromEntries(variables.map(({ key, text }) => [key, text])),
  );
  problems.invalid.push(...settled.issues.map((issue) => `${source}: settings: ${issue}`));
  return [{ name, manifest: module.manifest, settings: settled.value, create: (around) => module.create(around) }];
}

/** `apiKey` of the adapter `hip-chat` is ANTIPHON_ADAPTER_HIP_CHAT_API_KEY. */
function variablesOf(
  name: string,
  all: AdapterSources["adapterVariables"],
): { variable: string; key: string; text: string }[] {
  const prefix = `${PREFIX}${name.replace(/[^A-Za-z0-9]/g, "_").toUpperCase()}_`;
  return Object.entries(all)
    .filter(([variable]) => variable.startsWith(prefix))
    .map(([variable, text]) => {
      const key = variable.slice(prefix.length).toLowerCase();
      return { variable, key: key.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()), text };
    });
}

interface Settled {
  readonly value: Settings;
  readonly issues: readonly string[];
}

/** What a module's own schema makes of the settings; those that every adapter has beside it. */
export async function settledSettings(
  { settings: schema }: AdapterModule,
  file: Settings,
  variables: Settings = {},
): Promise<Settled> {
  const issues: string[] = [];
  const common: Record<string, unknown> = {};
  const own: Record<string, unknown> = { ...file, ...variables };
  for (const [key, values] of Object.entries(COMMON)) {
    if (own[key] === undefined) continue;
    if (values.includes(own[key])) common[key] = own[key];
    else issues.push(`${key} must be one of ${values.join(", ")}`);
    delete own[key];
  }
  if (schema === undefined) return { value: { ...own, ...common }, issues };
  const first = await runSchema(schema, own);
  // Variables are text: where that does not fit, the schema gets what the text says as JSON.
  const checked = first.ok ? first : await runSchema(schema, { ...own, ...asJson(variables) });
  if (!checked.ok) return { value: {}, issues: [...issues, ...checked.issues] };
  return { value: Object.freeze({ ...(checked.value as Settings), ...common }), issues };
}

function asJson(variables: Settings): Settings {
  const parsed = Object.entries(variables).map(([key, text]): [string, unknown] => {
    try {
      return [key, JSON.parse(String(text))];
    } catch {
      return [key, text];
    }
  });
  return Object.fromEntries(parsed);
}
