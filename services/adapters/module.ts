// Finds and imports the module of an adapter: a file, a folder with an index file or a package.json, or a package.

import { readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

export type ImportedAdapter =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: string };

const INDEX = ["index.ts", "index.js", "index.mts", "index.mjs"];

export async function importAdapter(source: string, cwd: string): Promise<ImportedAdapter> {
  try {
    const isPath = source.startsWith(".") || isAbsolute(source);
    const file = isPath ? await fileOf(resolve(cwd, source)) : await packageFile(source, cwd);
    if (file === undefined) return { ok: false, reason: `there is no such ${isPath ? "file or folder" : "package"}` };
    const module = (await import(pathToFileURL(file).href)) as { readonly default?: unknown };
    if (module.default !== undefined) return { ok: true, value: module.default };
    return { ok: false, reason: "the adapter must be its default export" };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error) };
  }
}

async function fileOf(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.isFile()) return found && path;
  const main = await mainOf(path);
  if (main !== undefined) return main;
  for (const name of INDEX) {
    const file = join(path, name);
    if (await stat(file).catch(() => undefined)) return file;
  }
  return undefined;
}

/** As Node finds it; what offers itself to `import` alone is not found by a resolve from here, so it is looked for. */
async function packageFile(name: string, cwd: string): Promise<string | undefined> {
  try {
    return createRequire(join(cwd, "_")).resolve(name);
  } catch {
    for (let folder = cwd; ; folder = dirname(folder)) {
      const main = await mainOf(join(folder, "node_modules", name));
      if (main !== undefined || folder === dirname(folder)) return main;
    }
  }
}

async function mainOf(folder: string): Promise<string | undefined> {
  const text = await readFile(join(folder, "package.json"), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const { exports, main } = JSON.parse(text) as { readonly exports?: unknown; readonly main?: unknown };
  const entry = entryOf(exports) ?? main;
  return typeof entry === "string" ? join(folder, entry) : undefined;
}

function entryOf(exports: unknown): unknown {
  if (typeof exports !== "object" || exports === null) return exports;
  const table = exports as Readonly<Record<string, unknown>>;
  const next = table["."] ?? table["import"] ?? table["node"] ?? table["default"];
  return next === undefined ? undefined : entryOf(next);
}
