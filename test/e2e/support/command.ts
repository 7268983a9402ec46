// Programs that are run to their end: kubectl, helm, docker. What they said is in the error when they fail.

import { spawn } from "node:child_process";

export interface CommandOptions {
  readonly input?: string;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 300_000;
const SHOWN_CHARS = 4_000;

/** Resolves with its standard output. */
export function command(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { input = "", timeoutMs = TIMEOUT_MS } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], timeout: timeoutMs });
    const told: Record<"stdout" | "stderr", Buffer[]> = { stdout: [], stderr: [] };
    child.stdout.on("data", (bytes: Buffer) => told.stdout.push(bytes));
    child.stderr.on("data", (bytes: Buffer) => told.stderr.push(bytes));
    child.once("error", reject);
    child.once("close", (code, signal) => {
      const out = Buffer.concat(told.stdout).toString();
      if (code === 0) return resolve(out);
      const said = `${out}${Buffer.concat(told.stderr).toString()}`.slice(-SHOWN_CHARS);
      reject(new Error(`${program} ${args.join(" ")} ended with ${signal ?? code}:\n${said}`));
    });
    child.stdin.once("error", () => {}); // it ended without reading all
    child.stdin.end(input);
  });
}
