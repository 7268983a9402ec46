// Picks the middleware out of what was imported and checks it: its shape, and that no name is taken twice.

import type { Middleware } from "../sdk/middleware.ts";
import { type Found, looksLikeMiddleware } from "./modules.ts";
import { keyLine, type Problem } from "./problem.ts";

const FORMAT = 1;

/** In the order of the files. What comes with Antiphon gives way to an author's of the same name. */
export function middlewareOf(found: readonly Found[], ours: readonly Found[], problems: Problem[]): Middleware[] {
  const names = new Map<string, string>();
  const authors = soundOnes(found, names, problems);
  const own = soundOnes(ours, new Map(), problems).filter(({ name }) => !names.has(name));
  return [...own, ...authors];
}

/** What is wrong with any of them goes into `problems`. */
function soundOnes(found: readonly Found[], names: Map<string, string>, problems: Problem[]): Middleware[] {
  const sound: Middleware[] = [];
  for (const { file, value } of found) {
    if (!looksLikeMiddleware(value)) continue;
    const reason = shapeProblem(value) ?? nameProblem(value as Middleware, names);
    if (reason !== undefined) {
      problems.push({ file, ...keyLine(file, "name"), reason });
      continue;
    }
    names.set((value as Middleware).name, file);
    sound.push(value as Middleware);
  }
  return sound;
}

function shapeProblem(value: { format: unknown; name: unknown }): string | undefined {
  const { format, name, order, enqueue, run } = value as Partial<Record<keyof Middleware, unknown>>;
  if (format !== FORMAT) {
    return `the middleware has format ${String(format)}, this Antiphon reads format ${FORMAT}: install the same version of antiphon`;
  }
  const fits = (fn: unknown): boolean => fn === undefined || typeof fn === "function";
  if (typeof name === "string" && typeof order === "number" && fits(enqueue) && fits(run)) return undefined;
  return "the middleware has no name, or its parts are no functions; use defineMiddleware({ … })";
}

function nameProblem({ name }: Middleware, names: ReadonlyMap<string, string>): string | undefined {
  const other = names.get(name);
  return other === undefined ? undefined : `the middleware "${name}" is also defined in ${other}`;
}
