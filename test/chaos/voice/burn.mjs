// Loaded into a master by `--import`: SIGUSR2 keeps its main thread busy for BURN_MS, as a bad loop would.

import { isMainThread } from "node:worker_threads";

if (isMainThread) {
  process.on("SIGUSR2", () => {
    const until = performance.now() + Number(process.env["BURN_MS"]);
    while (performance.now() < until);
  });
}
