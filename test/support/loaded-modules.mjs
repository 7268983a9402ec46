// Preloaded: at its end each thread says which of our files and of OpenTelemetry's it has loaded.

import { registerHooks } from "node:module";
import { writeSync } from "node:fs";

const loaded = new Set();
registerHooks({
  load: (url, context, next) => {
    if (/opentelemetry|services/.test(url)) loaded.add(url);
    return next(url, context);
  },
});
process.on("exit", () => writeSync(2, `loaded ${[...loaded].join(" ")}\n`));
