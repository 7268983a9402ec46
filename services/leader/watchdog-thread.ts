// The watchdog's thread: kills the process when its main thread is silent for too long while it leads.
// It never renews anything: that would keep a dead leader alive.

import { workerData } from "node:worker_threads";
import { BEAT, LEADING, STOPPED, type WatchdogMemory } from "./watchdog-memory.ts";

const { flags, beat, silentMsMax } = workerData as WatchdogMemory;
const stateOf = new Int32Array(flags);
const beatOf = new BigInt64Array(beat);
const silentMax = BigInt(silentMsMax) * 1_000_000n;

// A blocking wait and no runtime/loop.ts: this thread has nothing else to do and must not depend on timers.
while (Atomics.wait(stateOf, STOPPED, 0, silentMsMax / 20) === "timed-out") {
  if (Atomics.load(stateOf, LEADING) === 0) continue;
  if (process.hrtime.bigint() - Atomics.load(beatOf, BEAT) <= silentMax) continue;
  // `process.exit` would end this thread alone.
  process.kill(process.pid, "SIGKILL");
}
