// A process that lives for a moment: loads the handlers as a worker does, tells their schedules, and is ended.

import { BUILTINS } from "../builtin/all.ts";
import { loadHandlers, loadOptionsOf } from "../handlers/loader.ts";
import { HandlersUnfit } from "../handlers/problem.ts";
import type { FromSchedules, ToSchedules } from "./schedules.ts";
import { scheduleOf } from "./timetable.ts";

async function load({ config, adapters }: ToSchedules): Promise<FromSchedules> {
  try {
    const manifest = await loadHandlers(loadOptionsOf(config, { adapters, builtins: BUILTINS }));
    return { type: "loaded", routes: manifest.timed.map(({ shape }) => scheduleOf(shape)) };
  } catch (error) {
    if (error instanceof HandlersUnfit) {
      return { type: "unfit", code: error.code as "HANDLER_INVALID", problems: error.problems };
    }
    return { type: "failed", reason: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

process.on("message", (question: ToSchedules) => void load(question).then((answer) => process.send?.(answer)));
// The master has what it wanted, or is gone: what an author's module opened while it was loaded must not keep this alive.
// oxlint-disable-next-line unicorn/no-process-exit -- an entry of its own, and main.ts cannot reach it any more
process.on("disconnect", () => process.exit());
