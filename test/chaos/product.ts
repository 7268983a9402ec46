// What is broken: the sources as they are, or what is built of them once, so that nobody edits it meanwhile.

import { execFileSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Laid out like the project; inside it, whose dependencies it needs, and apart from what others use at the same time. */
const BUILT = join(ROOT, `.antiphon/chaos-${process.pid}`);
/** Handlers beside it, so that "antiphon" means what was built. */
const TAKEN_ALONG = ["package.json", "test/fixtures/timed", "test/chaos/handlers", "test/chaos/soak-words.ts"];

/** For as long as this process lives. @returns the entry */
export function buildProduct(): string {
  process.once("exit", () => rmSync(BUILT, { recursive: true, force: true }));
  const build = join(ROOT, "scripts/build.mjs");
  execFileSync(process.execPath, [build, join(BUILT, "dist")], { stdio: ["ignore", "ignore", "inherit"] });
  for (const path of TAKEN_ALONG) cpSync(join(ROOT, path), join(BUILT, path), { recursive: true });
  return join(BUILT, "dist/main.js");
}

export const SOURCES = join(ROOT, "services/main.ts");

/** A folder of the tests that lies beside this entry. */
export function beside(entry: string, folder: string): string {
  return join(dirname(dirname(entry)), folder);
}
