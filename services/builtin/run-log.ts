// A line of log per run: which, how long, how it ended. With the log level `debug`, because there are very many runs.

import { defineMiddleware, type Middleware } from "../sdk/index.ts";

/** Further out than whatever authors have. */
const ORDER = -1000;

export const runLog: Middleware = defineMiddleware({
  name: "run-log",
  order: ORDER,
  async run({ log, attempt, delivery, route }, next) {
    const started = performance.now();
    const told = (outcome: string): void => {
      const ms = Math.round(performance.now() - started);
      const { kind, queue } = delivery;
      log.debug("ran", { outcome, ms, attempt, kind, queue, handler: route.handler });
    };
    try {
      const value = await next();
      told(outcomeOf(value) ?? "done");
      return value;
    } catch (error) {
      told(outcomeOf(error) ?? "failed");
      throw error;
    }
  },
});

/** What an author returned or threw in place of a value or an error. */
function outcomeOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || !("~outcome" in value)) return undefined;
  return String(value["~outcome"]);
}
