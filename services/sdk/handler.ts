// `defineHandler`: from what an author writes to plain frozen data, checked as a whole. No instance, no registry, no
// instanceof: the author's copy of this library and ours are different modules.

import { buildRoute, type Draft } from "./build.ts";
import { type Options, refuseUnknown, type Report } from "./build-options.ts";
import type { Event, Job } from "./context.ts";
import type { Out, Schema } from "./infer.ts";
import type { Route, Routes } from "./options.ts";
import { PLACE_OPTIONS, type PlaceOptions, readPlace } from "./place.ts";
import type { AnyRoute, Method } from "./routes.ts";
import { isSchema } from "./schema.ts";

/** What a module of a handlers folder exports by default. */
export interface Handler<C = unknown> {
  readonly format: 1;
  readonly name: string;
  readonly routes: Readonly<Record<string, Route>>;
  readonly "~config"?: C;
}

export interface HandlerOptions<S extends Schema> {
  readonly name: string;
  /** Any Standard Schema; unfit configuration stops the start. */
  readonly config?: S;
  readonly routes: (r: Routes<Out<S>>) => Record<string, Route>;
  /** Once per thread, before its first run: pools of connections. If it throws, the start fails. */
  readonly setup?: (given: { readonly config: Out<S>; readonly signal: AbortSignal }) => unknown;
  /** Once per thread, inside the drain. */
  readonly teardown?: () => unknown;
}

const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
const CONTRACT_NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,127}$/;
const OPTIONS: ReadonlySet<string> = new Set(["name", "config", "routes", "setup", "teardown"]);

/** Throws one TypeError that lists everything that is wrong; its `cause` is the list. */
export function defineHandler<S extends Schema>(options: HandlerOptions<S>): Handler<Out<S>> {
  const problems: string[] = [];
  const { name, config, setup, teardown } = options;
  for (const key of Object.keys(options)) if (!OPTIONS.has(key)) problems.push(`unknown option ${key}`);
  if (typeof name !== "string" || !NAME.test(name))
    problems.push(`the name ${JSON.stringify(name)} must be a letter and then letters, digits, - or _`);
  if (config !== undefined && !isSchema(config)) problems.push("config is no Standard Schema");
  for (const [key, value] of Object.entries({ setup, teardown }))
    if (value !== undefined && typeof value !== "function") problems.push(`${key} is no function`);
  const routes = readRoutes(options, problems);
  if (problems.length > 0) throw refusal(`handler ${JSON.stringify(name)}`, problems, defineHandler);
  return Object.freeze({
    format: 1,
    name,
    routes: Object.freeze(routes),
    ...(config === undefined ? {} : { config }),
    ...(setup === undefined ? {} : { setup }),
    ...(teardown === undefined ? {} : { teardown }),
  }) as Handler<Out<S>>;
}

/** Its stack starts where the author called `at`, so that the start can name file and line. */
function refusal(what: string, problems: readonly string[], at: (...given: never[]) => unknown): TypeError {
  const error = new TypeError(`${what}: ${problems.join("; ")}`, { cause: problems });
  Error.captureStackTrace(error, at);
  return error;
}

function readRoutes<S extends Schema>(options: HandlerOptions<S>, problems: string[]): Record<string, AnyRoute> {
  const built: Record<string, AnyRoute> = {};
  if (typeof options.routes !== "function") {
    problems.push("routes must be a function: (r) => ({ … })");
    return built;
  }
  const drafts = new Map<unknown, Draft>();
  const given: unknown = options.routes(routesInto(drafts) as unknown as Routes<Out<S>>);
  if (typeof given !== "object" || given === null || Object.keys(given).length === 0) {
    problems.push("routes must return an object with at least one route");
    return built;
  }
  for (const [key, value] of Object.entries(given)) {
    const draft = drafts.get(value);
    if (!NAME.test(key))
      problems.push(`route ${JSON.stringify(key)}: a name is a letter and then letters, digits, - or _`);
    else if (draft === undefined) problems.push(`route ${key}: must be made with r, as in r.command(…)`);
    else {
      const report = (text: string): void => void problems.push(`route ${key}: ${text}`);
      const route = buildRoute(draft, `${options.name}.${key}`, report);
      if (route !== undefined) built[key] = route;
    }
  }
  return built;
}

type Make = (...given: readonly unknown[]) => Route;

/** The `r` that authors see. It only notes; whether the options are right is seen when the route's name is known. */
function routesInto(drafts: Map<unknown, Draft>): Record<keyof Routes<unknown>, Make> {
  const note = (draft: Draft): Route => {
    const route = Object.freeze({ kind: draft.kind });
    drafts.set(route, draft);
    return route;
  };
  const kind =
    (kind: Draft["kind"]): Make =>
    (subject, options) =>
      note({ kind, subject, options });
  const http =
    (method: Method): Make =>
    (subject, options) =>
      note({ kind: "http", method, subject, options });
  return {
    command: kind("command"),
    hear: kind("hear"),
    fallback: (options) => note({ kind: "fallback", subject: undefined, options }),
    on: kind("event"),
    job: kind("job"),
    get: http("GET"),
    post: http("POST"),
    put: http("PUT"),
    patch: http("PATCH"),
    delete: http("DELETE"),
    cron: kind("cron"),
    every: kind("every"),
  };
}

/** A contract for work: export it; `enqueue` and `r.job` take it. */
export function job<S extends Schema>(name: string, input: S, options: PlaceOptions = {}): Job<S> {
  const problems = contractProblems(name, input);
  const report: Report = (text) => void problems.push(text);
  refuseUnknown(options as Options, new Set(PLACE_OPTIONS), report);
  const place = readPlace(options as Options, report);
  if (problems.length > 0) throw refusal(`job ${JSON.stringify(name)}`, problems, job);
  return Object.freeze({ kind: "job", name, input, ...place });
}

/** A contract for something that happened: export it; `emit` and `r.on` take it. */
export function event<S extends Schema>(name: string, payload: S): Event<S> {
  const problems = contractProblems(name, payload);
  if (problems.length > 0) throw refusal(`event ${JSON.stringify(name)}`, problems, event);
  return Object.freeze({ kind: "event", name, payload });
}

function contractProblems(name: unknown, schema: unknown): string[] {
  const problems: string[] = [];
  if (typeof name !== "string" || !CONTRACT_NAME.test(name))
    problems.push("the name must be a letter and then letters, digits, dots, - or _");
  if (!isSchema(schema)) problems.push("the second argument must be a Standard Schema");
  return problems;
}
