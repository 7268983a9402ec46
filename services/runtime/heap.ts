// Collects garbage when it is told to: what starting up left behind, and what makes a heap look larger than it is.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

type Flavor = "regular" | "last-resort";
type Collect = (options: { type: "major"; execution: "sync"; flavor: Flavor }) => void;

let collect: Collect | undefined;

function run(flavor: Flavor): void {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as Collect;
    setFlagsFromString("--no-expose-gc");
  }
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
