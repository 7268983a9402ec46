// `antiphon validate`: loads settings and handlers as a start does, prints every problem, starts nothing.

import { adapterFacts, loadAdapters } from "../adapters/load.ts";
import { BUILTINS } from "../builtin/all.ts";
import type { Config } from "../config/config.ts";
import { loadHandlers, loadOptionsOf } from "../handlers/loader.ts";
import type { Manifest } from "../handlers/manifest.ts";
import { HandlersUnfit, problemLine } from "../handlers/problem.ts";
import { parseRedisUrl } from "../redis/url.ts";
import { AntiphonError } from "../runtime/errors.ts";
import type { CronRoute, EveryRoute } from "../sdk/routes.ts";
import { columns, type Command } from "./command.ts";

export const validate: Command = {
  name: "validate",
  help: "Loads settings and handlers as a start does and prints every problem. Exit code 1 when there is one.",
  options: { json: { type: "boolean", help: "one object: ok, problems, warnings, routes, schedules" } },
  async run({ readConfig, options, print }) {
    const problems: string[] = [];
    let manifest: Manifest | undefined;
    try {
      const config = await readConfig("tool");
      if (config.redisUrl !== undefined) collect(problems, () => parseRedisUrl(config.redisUrl ?? ""));
      manifest = await load(config);
    } catch (error) {
      problems.push(...linesOf(error));
    }
    const warnings = manifest?.warnings.map(problemLine) ?? [];
    const routes = manifest?.routes.map(({ shape }) => ({
      id: shape.id,
      kind: shape.kind,
      restrictTo: shape.restrictTo,
    }));
    const schedules = manifest?.timed.map(({ shape }) => scheduleOf(shape)) ?? [];
    const ok = problems.length === 0;
    if (options["json"]) print(JSON.stringify({ ok, problems, warnings, routes: routes ?? [], schedules }));
    else {
      for (const problem of problems) print(problem);
      for (const warning of warnings) print(`warning: ${warning}`);
      if (routes)
        print(columns(routes.map(({ id, kind, restrictTo }) => [id, kind, restrictTo?.join(", ") ?? "everybody"])));
      print(ok ? "No problems." : `${problems.length} ${problems.length === 1 ? "problem" : "problems"}.`);
    }
    return ok ? 0 : 1;
  },
};

async function load(config: Config): Promise<Manifest> {
  const adapters = adapterFacts(await loadAdapters(config));
  return loadHandlers(loadOptionsOf(config, { adapters, builtins: BUILTINS }));
}

function scheduleOf(route: CronRoute | EveryRoute): string {
  return route.kind === "cron" ? `${route.id} ${route.spec} ${route.tz}` : `${route.id} every ${route.periodMs} ms`;
}

function collect(problems: string[], check: () => unknown): void {
  try {
    check();
  } catch (error) {
    problems.push(...linesOf(error));
  }
}

function linesOf(error: unknown): string[] {
  if (error instanceof HandlersUnfit) return error.problems.map(problemLine);
  if (!(error instanceof AntiphonError)) throw error;
  const [sentence = "", ...lines] = error.message.split("\n").map((line) => line.trim());
  return lines.length === 0 ? [sentence] : lines;
}
