// Preloaded: at its end each thread says which of our files and of whose packages it has loaded, and whether it has loaded
// node:http as an ES module, which is dear (see runtime/node-http.ts).

import { registerHooks } from "node:module";
import { writeSync } from "node:fs";

const PACKAGE = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\/.*/;
const loaded = new Set();
registerHooks({
  load: (url, context, next) => {
    if (/services/.test(url)) loaded.add(url);
    if (PACKAGE.test(url)) loaded.add(url.replace(PACKAGE, "package:$1"));
    if (url === "node:http" && context.conditions.includes("import")) loaded.add("import:node:http");
    return next(url, context);
  },
});
process.on("exit", () => writeSync(2, `loaded ${[...loaded].join(" ")}\n`));
