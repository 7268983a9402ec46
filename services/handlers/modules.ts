// Finds the modules of handlers in folders and packages and imports them. A module without a default export is an
// author's helper and is left alone.

import { readdir, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { resolveOwnName } from "../runtime/own-name.ts";
import { loadProblem, type Problem } from "./problem.ts";

/** A default export of a module. */
export interface Found {
  readonly file: string;
  readonly value: unknown;
}

export interface Imported {
  readonly found: readonly Found[];
  readonly problems: readonly Problem[];
}

const SOURCE = /\.(?:ts|mts|js|mjs)$/;
const NO_HANDLER = /\.(?:test|spec|d)\.[a-z]+$/;
const SOURCE_NAMES = ["index.ts", "index.js", "index.mts", "index.mjs"];

/** Imports everything that `sources` name: folders, files and packages; relative ones from `cwd`. */
export async function importModules(sources: readonly string[], cwd: string): Promise<Imported> {
  resolveOwnName();
  const found: Found[] = [];
  const problems: Problem[] = [];
  for (const source of sources) {
    try {
      const before = found.length + problems.length;
      for (const file of await filesOf(source, cwd)) await importOne(file, found, problems);
      if (found.length + problems.length === before) problems.push({ file: source, reason: "holds no handler" });
    } catch (error) {
      problems.push({ file: source, reason: reasonOf(error) });
    }
  }
  return { found, problems };
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "MODULE_NOT_FOUND") return "no such folder, file or package";
  return error instanceof Error ? error.message : String(error);
}

async function importOne(file: string, found: Found[], problems: Problem[]): Promise<void> {
  let module: Record<string, unknown>;
  try {
    module = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (error) {
    problems.push(loadProblem(file, error));
    return;
  }
  if ("default" in module) found.push({ file, value: module["default"] });
  else {
    const what = Object.values(module)
      .map(kindOf)
      .find((kind) => kind !== undefined);
    if (what !== undefined) problems.push({ file, reason: `the ${what} must be the default export` });
  }
}

function kindOf(value: unknown): string | undefined {
  if (looksLikeBus(value)) return "bus";
  if (looksLikeMiddleware(value)) return "middleware";
  return looksLikeHandler(value) ? "handler" : undefined;
}

export function looksLikeHandler(value: unknown): value is { format: unknown; name: unknown; routes: unknown } {
  return typeof value === "object" && value !== null && "format" in value && "name" in value && "routes" in value;
}

export function looksLikeBus(value: unknown): value is { format: unknown } {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "bus";
}

export function looksLikeMiddleware(value: unknown): value is { format: unknown; name: unknown } {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "middleware";
}

async function filesOf(source: string, cwd: string): Promise<string[]> {
  const path = resolve(cwd, source);
  const isPath = source.startsWith(".") || source.startsWith(sep) || (await exists(path));
  if (!isPath) return [createRequire(join(cwd, "_")).resolve(source)];
  if ((await stat(path)).isFile()) return [path];
  const entries = (await readdir(path, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  const files: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    const name = join(path, entry.name);
    // A ConfigMap mounts its files as links.
    const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && (await stat(name)).isDirectory());
    if (isFolder) files.push(...(await indexOf(name)));
    else if (SOURCE.test(entry.name) && !NO_HANDLER.test(entry.name)) files.push(name);
  }
  return files;
}

/** A folder in a folder of handlers is one handler when it has an index file. */
async function indexOf(folder: string): Promise<string[]> {
  for (const name of SOURCE_NAMES) {
    if (await exists(join(folder, name))) return [join(folder, name)];
  }
  return [];
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
