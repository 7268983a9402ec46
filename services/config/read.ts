// Reads the settings: the environment over the file over the default; every problem is found before any is told.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { AntiphonError } from "../runtime/errors.ts";
import { suggestion } from "../runtime/suggest.ts";
import { accessProblems } from "./access.ts";
import { ADAPTER_COMMON, ADAPTER_SETTINGS, type Config, SETTINGS, type Settings, type Values } from "./config.ts";
import { type ConfigFile, fromFolder, pathFrom, readConfigFile } from "./file.ts";
import { ircProblems } from "./irc.ts";
import type { AnyRows, ConfigFor, Surroundings } from "./row.ts";
import { scaleProblems } from "./scale.ts";
import { tracingProblems } from "./tracing.ts";

/** Read by npm test and by readConfig itself; no settings. */
const OTHER_VARIABLES = ["ANTIPHON_CONFIG", "ANTIPHON_REQUIRE_SERVERS"];

/** @throws AntiphonError CONFIG_INVALID with every problem, one a line */
export async function readConfig(purpose: ConfigFor, around: Surroundings): Promise<Config> {
  const problems: string[] = [];
  const file = await readConfigFile(around, problems);
  const read = readRows(SETTINGS, { around, purpose, file: file.values, where: "" }, problems) as unknown as Values;
  const values = read.adapters
    ? { ...read, adapters: read.adapters.map((entry) => pathFrom(around.cwd, entry)) }
    : read;
  const adapterSettings = readAdapters({ values, file, around, purpose }, problems);
  problems.push(...unknownVariables(around.env), ...contradictions(values, purpose));
  if (problems.length > 0) throw new AntiphonError("CONFIG_INVALID", problems.map((line) => `\n  ${line}`).join(""));
  return deepFreeze({
    ...values,
    handlers: values.handlers.map((entry) => fromFolder(around.cwd, entry)),
    dev: around.dev || purpose === "dev",
    cwd: around.cwd,
    file: file.path,
    handlerSettings: file.handlerSettings,
    handlerVariables: variablesWith(HANDLER_PREFIX, around.env),
    adapterVariables: variablesWith(ADAPTER_PREFIX, around.env),
    adapterSettings,
  });
}

interface Source {
  readonly around: Surroundings;
  readonly purpose: ConfigFor;
  readonly file: Settings;
  /** Before the key in a problem, e.g. `adapters.irc.`. */
  readonly where: string;
}

/** One value per row. An empty variable counts as not set. */
function readRows(rows: AnyRows, from: Source, problems: string[]): Settings {
  const values: Record<string, unknown> = {};
  for (const [key, row] of Object.entries(rows)) {
    const variable = row.variable === undefined ? undefined : from.around.env[row.variable] || undefined;
    const raw = variable ?? from.file[key] ?? undefined;
    const name = variable === undefined ? `${from.where}${key}` : row.variable;
    const value =
      raw === undefined ? row.preset(from.around, from.purpose) : row.kind.read(raw, variable !== undefined);
    if (raw !== undefined && value === undefined)
      problems.push(`${name} must be ${row.kind.says}${row.kind.secret ? "" : `; it is ${shown(raw)}`}.`);
    values[key] = value;
  }
  for (const key of Object.keys(from.file))
    if (!Object.hasOwn(rows, key))
      problems.push(`${from.where}${key} is no setting.${suggestion(key, Object.keys(rows))}`);
  return values;
}

interface AdapterSource {
  readonly values: Values;
  readonly file: ConfigFile;
  readonly around: Surroundings;
  readonly purpose: ConfigFor;
}

function readAdapters(from: AdapterSource, problems: string[]): Record<string, Settings> {
  const settings: Record<string, Settings> = {};
  for (const name of from.values.adapters ?? []) {
    const given = from.file.adapterSettings[name] ?? {};
    const rows = ADAPTER_SETTINGS[name];
    if (rows !== undefined) {
      const source = { around: from.around, purpose: from.purpose, file: given, where: `adapters.${name}.` };
      settings[name] = readRows({ ...rows, ...ADAPTER_COMMON }, source, problems);
      if (name === "irc") problems.push(...ircProblems(settings[name], from.purpose));
    } else if (isOwn(name, from.around.cwd)) settings[name] = given;
    else problems.push(`There is no adapter ${name}.${suggestion(name, Object.keys(ADAPTER_SETTINGS))}`);
  }
  return settings;
}

/** A path, or a package: adapters of one's own are looked for when the configuration is sound. */
function isOwn(name: string, cwd: string): boolean {
  return /[./@-]/.test(name) || existsSync(join(cwd, "node_modules", name));
}

/** Handlers name these; the loader reads them. */
const HANDLER_PREFIX = "ANTIPHON_HANDLER_";
/** Likewise of adapters of one's own. */
const ADAPTER_PREFIX = "ANTIPHON_ADAPTER_";

function variablesWith(prefix: string, env: Surroundings["env"]): Record<string, string> {
  const found = Object.entries(env).filter(([name, value]) => name.startsWith(prefix) && value !== undefined);
  return Object.fromEntries(found) as Record<string, string>;
}

/** What Kubernetes sets for a Service named antiphon is no setting of ours. */
const SERVICE_LINK = /_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$|_PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?$/;

function unknownVariables(env: Surroundings["env"]): string[] {
  const known = Object.values<AnyRows[string]>(SETTINGS).flatMap((row) => row.variable ?? []);
  known.push(...OTHER_VARIABLES);
  return Object.entries(env)
    .filter(([name]) => name.startsWith("ANTIPHON_") && !known.includes(name))
    .filter(([name]) => !name.startsWith(HANDLER_PREFIX) && !name.startsWith(ADAPTER_PREFIX))
    .filter(([name, value]) => !SERVICE_LINK.test(name) && !value?.startsWith("tcp://"))
    .map(([name]) => `${name} is no setting.${suggestion(name, known)}`);
}

function contradictions(values: Values, purpose: ConfigFor): string[] {
  const problems: string[] = [];
  const target = values.outboxRedirect?.split(/[/:]/)[0];
  // What an adapter of one's own calls itself is not known yet.
  if (
    target !== undefined &&
    values.adapters &&
    !values.adapters.some((name) => name === target || ADAPTER_SETTINGS[name] === undefined)
  )
    problems.push(`ANTIPHON_OUTBOX_REDIRECT names a room of ${target}, which is none of ANTIPHON_ADAPTERS.`);
  problems.push(
    ...scaleProblems(values.scaleTargets ?? []),
    ...(purpose === "master" ? accessProblems(values) : []),
    ...tracingProblems(values),
  );
  if ((purpose === "master" || purpose === "worker") && values.redisUrl === undefined)
    problems.push("REDIS_URL is missing: a master and a worker need one (only `antiphon dev` brings its own Redis).");
  if (purpose === "master" && (values.metricsApiPort === undefined) !== (values.metricsApiCertificate === undefined))
    problems.push("ANTIPHON_METRICS_API_PORT and ANTIPHON_METRICS_API_CERTIFICATE go together.");
  if (purpose === "worker" || purpose === "dev") {
    if (values.httpPort !== 0 && values.httpPort === values.adminPort)
      problems.push(`ANTIPHON_HTTP_PORT and ANTIPHON_ADMIN_PORT are both ${values.httpPort}.`);
    if (values.workerConcurrency < values.workerThreads)
      problems.push(
        "ANTIPHON_WORKER_CONCURRENCY is less than ANTIPHON_WORKER_THREADS: some threads could never run anything.",
      );
    const { queues, tags } = values;
    // Of settings that could not be read nothing more is said.
    if (queues?.every(({ queue }) => queue === "chat") && tags && !tags.all && !tags.untagged)
      problems.push("ANTIPHON_QUEUES and ANTIPHON_TAGS leave nothing to serve: Messages have no tags.");
  }
  return problems;
}

function shown(raw: unknown): string {
  const json = JSON.stringify(raw) ?? String(raw);
  return json.length > 80 ? `${json.slice(0, 77)}…` : json;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}
