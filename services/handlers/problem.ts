// What is wrong with the handlers, as a list that names file, line and reason.

import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { AntiphonError, type ErrorCode } from "../runtime/errors.ts";

export interface Problem {
  /** Absolute path, or the name of a package. */
  readonly file: string;
  /** Counted from 1. */
  readonly line?: number;
  readonly reason: string;
}

/** All problems at once, one line each. */
export class HandlersUnfit extends AntiphonError {
  readonly problems: readonly Problem[];

  constructor(code: Extract<ErrorCode, "HANDLER_LOAD_FAILED" | "HANDLER_INVALID">, problems: readonly Problem[]) {
    super(code, problems.map((problem) => `\n  ${problemLine(problem)}`).join(""));
    this.problems = problems;
  }
}

export function problemLine({ file, line, reason }: Problem): string {
  const inside = relative(process.cwd(), file);
  const path = inside === "" || inside.startsWith("..") ? file : inside;
  return `${path}${line === undefined ? "" : `:${line}`}: ${reason}`;
}

const PLACE = /(?:^|\(|\s)(file:\/\/[^\s()]+?|\/[^\s()]+?):(\d+)(?::\d+)?(?:\)|$)/;
const IMPORTED = /^Cannot find (?:module|package) '([^']+)' imported from (.+)$/;

/** Where a module failed to load: the place that the stack names, else the import that names what is missing. */
export function loadProblem(file: string, error: unknown): Problem {
  if (!(error instanceof Error)) return { file, reason: `threw ${String(error)}` };
  const reason = error.message.split("\n")[0] ?? error.message;
  const missing = IMPORTED.exec(reason);
  if (missing) return missingImport(missing[2] ?? file, missing[1] ?? "");
  for (const text of (error.stack ?? "").split("\n")) {
    const place = PLACE.exec(text);
    if (!place?.[1] || place[1].includes("node_modules")) continue;
    const path = place[1].startsWith("file:") ? fileURLToPath(place[1].replace(/\?.*$/, "")) : place[1];
    return { file: path, line: Number(place[2]), reason };
  }
  return { file, reason };
}

function missingImport(file: string, wanted: string): Problem {
  const base = wanted.slice(wanted.lastIndexOf("/") + 1);
  const line = lineOf(file, (text) => text.includes(base) && /\b(?:import|from|require)\b/.test(text));
  return { file, ...line, reason: `cannot find ${wanted}` };
}

/** The line where a route or a setting is written, as well as text can tell: the first `key:` or `"key":`. */
export function keyLine(file: string, key: string): { line?: number } {
  const escaped = key.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const start = new RegExp(`(?:^|[\\s{,])["']?${escaped}["']?\\s*[:(]`);
  return lineOf(file, (text) => start.test(text));
}

function lineOf(file: string, wanted: (text: string) => boolean): { line?: number } {
  try {
    const index = readFileSync(file, "utf8").split("\n").findIndex(wanted);
    return index < 0 ? {} : { line: index + 1 };
  } catch {
    return {}; // a package's name, or a file that has gone since
  }
}
