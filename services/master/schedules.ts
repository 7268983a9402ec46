// The schedules of the handlers, found out in a process of its own: a master runs no handler, so none of an author's code,
// and nothing that it opened while it was loaded, stays in it.

import { type ChildProcess, fork } from "node:child_process";
import type { AdapterFacts } from "../adapters/load.ts";
import type { Config } from "../config/config.ts";
import { HandlersUnfit, type Problem } from "../handlers/problem.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { withDeadline } from "../runtime/part.ts";
import type { TimedRoute } from "./timetable.ts";

export interface ToSchedules {
  readonly config: Config;
  readonly adapters: readonly AdapterFacts[];
}

export type FromSchedules =
  | { readonly type: "loaded"; readonly routes: readonly TimedRoute[] }
  | {
      readonly type: "unfit";
      readonly code: "HANDLER_INVALID" | "HANDLER_LOAD_FAILED";
      readonly problems: readonly Problem[];
    }
  | { readonly type: "failed"; readonly reason: string };

const LOAD_MS = 60_000;

/** Throws `HandlersUnfit` with every problem. */
export async function loadSchedules(config: Config, adapters: readonly AdapterFacts[]): Promise<readonly TimedRoute[]> {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const child = fork(new URL(`./schedules-child.${extension}`, import.meta.url), [], {
    serialization: "advanced",
    execArgv: [],
    // What modules print while they are loaded is in the workers' logs already.
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  try {
    const answer = await withDeadline(ask(child, { config, adapters }), LOAD_MS, "Loading the handlers");
    if (answer.type === "unfit") throw new HandlersUnfit(answer.code, answer.problems);
    if (answer.type === "failed") throw new AntiphonError("HANDLER_LOAD_FAILED", answer.reason);
    return answer.routes;
  } finally {
    child.kill("SIGKILL");
  }
}

function ask(child: ChildProcess, question: ToSchedules): Promise<FromSchedules> {
  return new Promise((resolve, reject) => {
    child.once("message", (answer) => resolve(answer as FromSchedules));
    child.once("error", reject);
    child.once("exit", () => reject(new AntiphonError("HANDLER_LOAD_FAILED", "A module ended the process.")));
    child.send(question, (error) => {
      if (error) reject(error);
    });
  });
}
