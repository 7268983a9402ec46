// What must hold before a handler may run: its shape, and that handlers, configuration and adapters fit together.

import { cronProblems } from "../runtime/cron-times.ts";
import { suggestion } from "../runtime/suggest.ts";
import type { HandlerShape, AnyRoute } from "../sdk/routes.ts";
import { looksLikeHandler } from "./modules.ts";
import { keyLine, type Problem } from "./problem.ts";

/** What the configuration offers to handlers. */
export interface Surroundings {
  /** Names of the groups that are declared. */
  readonly groups: readonly string[];
  readonly adapters: readonly { readonly name: string; readonly can: readonly string[] }[];
}

export interface CheckedHandler {
  readonly file: string;
  readonly builtin: boolean;
  readonly shape: HandlerShape;
}

/** The group of the people under `admins`, which needs no declaration. */
const ADMINS = "admins";
const FORMAT = 1;
const KINDS = new Set(["command", "hear", "fallback", "http", "job", "event", "cron", "every"]);
/** Paths of the platform itself on the public port. */
const RESERVED = /^\/(?:chat|bus|message-bus)(?:\/|$)/;

/** Why a default export cannot be used at all; undefined when it can. */
export function shapeProblem(value: unknown): string | undefined {
  if (!looksLikeHandler(value)) return "the default export is no handler; use defineHandler({ … })";
  if (value.format !== FORMAT)
    return `the handler has format ${String(value.format)}, this Antiphon reads format ${FORMAT}: install the same version of antiphon`;
  if (typeof value.name !== "string" || typeof value.routes !== "object" || value.routes === null)
    return "the handler has no name or no routes; use defineHandler({ … })";
  for (const [key, route] of Object.entries(value.routes as Record<string, AnyRoute | undefined>)) {
    const known = KINDS.has(route?.kind ?? "") && typeof route?.run === "function" && typeof route.id === "string";
    if (!known) return `the route ${key} is of no kind that this Antiphon knows; use r.command, r.post, r.job …`;
  }
  return undefined;
}

/** Everything that is wrong with each handler alone and with all of them together. */
export function checkHandlers(handlers: readonly CheckedHandler[], around: Surroundings): Problem[] {
  const problems: Problem[] = [];
  const names = new Map<string, string>();
  const claimed = new Map<string, string>();
  for (const handler of handlers) {
    const { file, shape } = handler;
    const other = names.get(shape.name);
    if (other !== undefined)
      problems.push({
        file,
        ...keyLine(file, "name"),
        reason: `the handler "${shape.name}" is also defined in ${other}`,
      });
    else names.set(shape.name, file);
    for (const [key, route] of Object.entries(shape.routes)) {
      const reasons = [...checkRoute(route, around), ...(other === undefined ? checkClaims(route, claimed) : [])];
      for (const reason of reasons) problems.push({ file, ...keyLine(file, key), reason: `${route.id}: ${reason}` });
    }
  }
  return problems;
}

/** Whether anybody who knows the address may make this route run. */
export function isUnsigned(route: AnyRoute): boolean {
  return route.kind === "http" && route.method !== "GET" && route.hmac === undefined;
}

export function unsignedRoutes(handlers: readonly CheckedHandler[]): Problem[] {
  return handlers.flatMap(({ file, shape }) =>
    Object.entries(shape.routes)
      .filter(([, route]) => isUnsigned(route))
      .map(([key, route]) => ({ file, ...keyLine(file, key), reason: `${route.id}: no hmac, so anybody may call it` })),
  );
}

/** Kinds of routes whose deliveries no person causes. */
const NOBODY_ASKS: ReadonlySet<AnyRoute["kind"]> = new Set(["http", "cron", "every"]);

function checkRoute(route: AnyRoute, around: Surroundings): string[] {
  const reasons: string[] = [];
  if (route.restrictTo !== undefined && NOBODY_ASKS.has(route.kind))
    reasons.push(
      "restrictTo on a route that no person calls would refuse every run; check a signature with hmac instead",
    );
  for (const group of route.restrictTo ?? []) {
    if (group !== ADMINS && !around.groups.includes(group))
      reasons.push(
        `the group "${group}" is not declared under groups in the configuration.${suggestion(group, around.groups)}`,
      );
  }
  for (const need of route.needs) {
    if (!around.adapters.some((adapter) => adapter.can.includes(need)))
      reasons.push(
        `needs "${need}", which none of the configured adapters has (${around.adapters.map((a) => a.name).join(", ")})`,
      );
  }
  if (!(route.timeoutMs > 0) || route.timeoutMs > 2 ** 31) reasons.push('its timeout is no duration such as "10m"');
  if (!(Number.isInteger(route.attempts) || route.attempts === Number.POSITIVE_INFINITY) || route.attempts < 1)
    reasons.push("attempts must be a whole number from 1");
  if (route.kind === "cron") reasons.push(...cronProblems(route.spec, route.tz));
  if (route.kind === "every" && !(route.periodMs >= 1000)) reasons.push("its period must be a duration of at least 1s");
  if (route.kind === "http" && RESERVED.test(route.path)) reasons.push(`${route.path} belongs to Antiphon itself`);
  return reasons;
}

/** Names that only one route may have. */
function checkClaims(route: AnyRoute, claimed: Map<string, string>): string[] {
  const reasons: string[] = [];
  const claim = (what: string): void => {
    const other = claimed.get(what);
    if (other === undefined) claimed.set(what, route.id);
    else reasons.push(other === route.id ? `the id is used twice` : `${what} is already taken by ${other}`);
  };
  claim(`the id ${route.id}`);
  if (route.kind === "job") claim(`the job "${route.job.name}"`);
  if (route.kind === "http") claim(`${route.method} ${route.path.replace(/:[^/]+/g, ":*").replace(/(.)\/$/, "$1")}`);
  return reasons;
}
