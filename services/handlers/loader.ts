// Loads the handlers that ANTIPHON_HANDLERS names, checks all of them together and gives the manifest, or all problems.

import { suggestion } from "../runtime/suggest.ts";
import type { HandlerShape } from "../sdk/routes.ts";
import { busOf } from "./bus.ts";
import { type CheckedHandler, checkHandlers, shapeProblem, type Surroundings, unsignedRoutes } from "./check.ts";
import { type LoadedHandler, Manifest } from "./manifest.ts";
import { middlewareOf } from "./middleware.ts";
import { type Found, importModules, looksLikeBus, looksLikeMiddleware } from "./modules.ts";
import { HandlersUnfit, keyLine, type Problem } from "./problem.ts";
import { settleConfig, type SettingsSource, sortVariables, type Written } from "./settings.ts";

export interface HandlerSurroundings extends Surroundings, SettingsSource {
  /** Values that come with Antiphon; each gives way to an author's handler or middleware of the same name. */
  readonly builtins: readonly unknown[];
}

export interface LoadOptions extends HandlerSurroundings {
  /** Folders, files and packages. */
  readonly sources: readonly string[];
  /** Where relative paths and packages are looked for. */
  readonly cwd: string;
}

/** The settings that say which handlers there are. */
export interface HandlerConfig extends Pick<LoadOptions, "cwd"> {
  readonly handlers: LoadOptions["sources"];
  readonly groups: Readonly<Record<string, unknown>>;
  readonly handlerSettings: LoadOptions["settings"];
  readonly handlerVariables: LoadOptions["environment"];
}

export function loadOptionsOf(
  { handlers, cwd, groups, handlerSettings, handlerVariables }: HandlerConfig,
  rest: Pick<LoadOptions, "adapters" | "builtins">,
): LoadOptions {
  const written = { settings: handlerSettings, environment: handlerVariables };
  return { sources: handlers, cwd, groups: Object.keys(groups), ...written, ...rest };
}

/** Throws `HandlersUnfit` with every problem of every module. */
export async function loadHandlers(options: LoadOptions): Promise<Manifest> {
  const { found, problems } = await importModules(options.sources, options.cwd);
  return assemble(found, options, problems);
}

/** As `loadHandlers`, of values that are at hand already: for tests of handlers. */
export async function manifestOf(found: readonly Found[], around: HandlerSurroundings): Promise<Manifest> {
  return assemble(found, around, []);
}

async function assemble(
  found: readonly Found[],
  around: HandlerSurroundings,
  loadProblems: readonly Problem[],
): Promise<Manifest> {
  const problems: Problem[] = [];
  const ours = around.builtins.map((value) => ({ file: "antiphon", value }));
  const middleware = middlewareOf(found, ours, problems);
  const bus = busOf(found, problems);
  const authors = shaped(found, problems, false);
  const names = new Set(authors.map(({ shape }) => shape.name));
  const builtins = shaped(ours, problems, true).filter(({ shape }) => !names.has(shape.name));
  const handlers = [...authors, ...builtins];
  problems.push(...checkHandlers(handlers, around));
  const loaded: LoadedHandler[] = [];
  const variables = sortVariables(
    handlers.map(({ shape }) => shape.name),
    around.environment,
  );
  for (const handler of handlers) {
    const { name } = handler.shape;
    const written = { file: around.settings[name], variables: variables.of.get(name) ?? new Map<string, string>() };
    loaded.push(await configured(handler, written, problems));
  }
  // A module that did not load may be the one that the settings are for.
  if (loadProblems.length === 0) problems.push(...straySettings(handlers, around.settings, variables.stray));
  if (loadProblems.length > 0) throw new HandlersUnfit("HANDLER_LOAD_FAILED", [...loadProblems, ...problems]);
  if (problems.length > 0) throw new HandlersUnfit("HANDLER_INVALID", problems);
  return new Manifest(loaded, { warnings: unsignedRoutes(handlers), middleware, bus });
}

function shaped(found: readonly Found[], problems: Problem[], builtin: boolean): CheckedHandler[] {
  const handlers: CheckedHandler[] = [];
  for (const { file, value } of found) {
    if (looksLikeMiddleware(value) || looksLikeBus(value)) continue;
    const reason = shapeProblem(value);
    if (reason === undefined) handlers.push({ file, builtin, shape: value as HandlerShape });
    else problems.push({ file, ...keyLine(file, "default"), reason });
  }
  return handlers;
}

async function configured(handler: CheckedHandler, written: Written, problems: Problem[]): Promise<LoadedHandler> {
  const { file, shape } = handler;
  const { config, problems: wrong } = await settleConfig(shape, written);
  for (const reason of wrong) {
    problems.push({ file, ...keyLine(file, "config"), reason: `settings handlers.${shape.name}: ${reason}` });
  }
  if (wrong.length === 0) problems.push(...secretProblems(handler, config));
  return { ...handler, config };
}

/** A signature made with an empty secret is one that anybody can make. */
function secretProblems({ file, shape }: CheckedHandler, config: unknown): Problem[] {
  const problems: Problem[] = [];
  for (const [key, route] of Object.entries(shape.routes)) {
    if (route.kind !== "http" || route.hmac === undefined) continue;
    const reason = secretProblem(() => route.hmac?.secret(config));
    if (reason !== undefined) problems.push({ file, ...keyLine(file, key), reason: `${route.id}: ${reason}` });
  }
  return problems;
}

function secretProblem(secret: () => unknown): string | undefined {
  try {
    const value = secret();
    return typeof value === "string" && value !== ""
      ? undefined
      : "hmac.secret gives no secret; it must be a text that is not empty";
  } catch (error) {
    return `hmac.secret throws ${String(error)}`;
  }
}

/** Settings for a handler that is not there are a slip of the pen: the handler that was meant would run without them. */
function straySettings(
  handlers: readonly CheckedHandler[],
  settings: SettingsSource["settings"],
  variables: readonly string[],
): Problem[] {
  const names = handlers.map(({ shape }) => shape.name);
  const stray = Object.keys(settings).filter((name) => !names.includes(name));
  return [
    ...stray.map((name) => `handlers.${name}: there is no handler of this name.${suggestion(name, names)}`),
    ...variables.map((name) => `${name}: there is no handler of this name`),
  ].map((reason) => ({ file: "settings", reason }));
}
