// A process of its own with a bus: says numbers as fast as they are stored, or writes down what it hears. Killed by tests.
// Arguments: say | hear, backend, url, namespace.

import { setTimeout as pause } from "node:timers/promises";
import { openBus } from "../../services/bus/plugin.ts";

const PAUSE_MS = 20;
const [mode = "", backend = "", url = "", namespace = ""] = process.argv.slice(2);
const bus = await openBus({ backend: backend as "redis" | "postgres", url, namespace });

if (mode === "hear") {
  const onGap = (): void => console.log("gap");
  await bus.subscribe("/a", ({ data }) => console.log(`heard ${String(data)}`), { onGap });
  console.log("hearing");
} else {
  for (let n = 0; ; n++) {
    const text = `${process.pid} ${n}`;
    // What only waits in memory, or is refused, nobody was told to be stored.
    const told = await bus.publish("/a", text).catch(() => undefined);
    if (told?.status === "stored") console.log(`stored ${text}`);
    else await pause(PAUSE_MS);
  }
}
