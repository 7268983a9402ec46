// Collects garbage when it is told to: what starting up left behind, and what makes a heap look larger than it is.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

type Flavor = "regular" | "last-resort";
type Collect = (options: { type: "major"; execution: "sync"; flavor: Flavor }) => void;

let collect: Collect | undefined;

/** The flag is the process's and stays: a thread that took it back would take it from one that is about to look for `gc`. */
function exposed(): Collect {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as Collect;
}

function run(flavor: Flavor): void {
  collect ??= exposed();
  collect({ type: "major", execution: "sync", flavor });
}

/**
 * Once per thread, when it is ready: loading modules fills a heap that an idle process would keep for hours. Takes some
 * 20 ms, and gives back about 10 MB of a thread's 25.
 */
export function collectStartupGarbage(): void {
  run("last-resort");
}

/** As V8 does by itself sooner or later. */
export function collectGarbage(): void {
  run("regular");
}
