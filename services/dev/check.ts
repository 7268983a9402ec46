// Looks at saved handlers before anything is restarted for them: `antiphon validate` in a process of its own.

import { execFile } from "node:child_process";
import { MAIN } from "./child.ts";

/** A part of what `antiphon validate --json` prints. */
export interface Checked {
  readonly ok: boolean;
  readonly problems: readonly string[];
  /** What the master has to know of the handlers; everything else concerns workers alone. */
  readonly schedules: readonly string[];
}

const LATE_MS = 30_000;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

export function checkHandlers(env: Readonly<Record<string, string | undefined>>): Promise<Checked> {
  const args = [...process.execArgv, MAIN, "validate", "--json"];
  const options = { env, timeout: LATE_MS, killSignal: "SIGKILL", maxBuffer: OUTPUT_BYTES_MAX } as const;
  return new Promise((resolve) => {
    execFile(process.execPath, args, options, (_error, stdout, stderr) => resolve(read(stdout, stderr)));
  });
}

/** Handlers may print while they load, so the answer is the last line. */
function read(stdout: string, stderr: string): Checked {
  try {
    return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as Checked;
  } catch {
    return { ok: false, problems: [stderr.trim() || "The handlers could not be checked."], schedules: [] };
  }
}
