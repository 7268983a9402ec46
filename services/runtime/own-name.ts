// What an author's module gets for `import … from "antiphon"` where no copy of the library is installed beside it.

import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const EXTENSION = import.meta.url.endsWith(".ts") ? "ts" : "js";
const OWN: Readonly<Record<string, string>> = {
  antiphon: new URL(`../sdk/index.${EXTENSION}`, import.meta.url).href,
  "antiphon/adapter": new URL(`../sdk/adapter.${EXTENSION}`, import.meta.url).href,
};
let registered = false;

/**
 * `import … from "antiphon"` works in a folder without node_modules, such as a mounted ConfigMap, and in this repository
 * before it is built. An author's own copy of the library wins.
 */
export function resolveOwnName(): void {
  if (registered) return;
  registered = true;
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const own = OWN[specifier];
      if (own === undefined) return nextResolve(specifier, context);
      try {
        const theirs = nextResolve(specifier, context);
        if (!fileURLToPath(theirs.url).startsWith(ROOT)) return theirs;
      } catch {
        // Not installed there: ours below.
      }
      return { url: own, format: EXTENSION === "ts" ? "module-typescript" : "module", shortCircuit: true };
    },
  });
}
