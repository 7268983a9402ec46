// A command of `antiphon` as a process: what it prints, and with which code it ends.

import { spawnSync } from "node:child_process";

const MAIN = new URL("../../services/main.ts", import.meta.url).pathname;

export interface Ran {
  readonly code: number | null;
  /** On standard output. */
  readonly out: string;
  /** On standard error. */
  readonly problems: string;
}

export interface CommandSurroundings {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export function runCommand(args: readonly string[], { cwd, env }: CommandSurroundings = {}): Ran {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    env: { ...process.env, ...env },
    encoding: "utf8",
    timeout: 60_000,
    ...(cwd !== undefined && { cwd }),
  });
  return { code: status, out: stdout, problems: stderr };
}
