// Node processes for tests: started from a TypeScript entry, read line by line, killed by any signal, never left behind.

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { afterAll } from "vitest";
import { waitFor } from "./wait-for.ts";

export interface SpawnOptions {
  readonly args?: readonly string[];
  /** Added to this process' environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** In a process group of its own, so that `killGroup` reaches its children too. */
  readonly group?: boolean;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const running = new Set<SpawnedNode>();
const children = new Set<ChildProcess>();

// In a test file what is left ends after its tests; in a program such as `npm run chaos`, with the program.
if (process.env["VITEST"] === undefined) {
  process.once("exit", () => {
    for (const node of running) node.child.kill("SIGKILL");
    for (const child of children) child.kill("SIGKILL");
  });
} else {
  afterAll(async () => {
    for (const child of children) child.kill("SIGKILL");
    await Promise.all([...running].map((node) => node.end()));
  });
}

/** For children that are no Node processes: none outlives this process or test file. Gives the child. */
export function endWithThis(child: ChildProcess): ChildProcess {
  children.add(child);
  child.once("exit", () => children.delete(child));
  return child;
}

/** Starts `node <entry>`. What it prints, on both outputs, is gathered in `lines`. */
export function spawnNode(entry: URL | string, options: SpawnOptions = {}): SpawnedNode {
  return new SpawnedNode(entry, options);
}

export class SpawnedNode {
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  readonly exited: Promise<Exit>;
  readonly #group: boolean;

  constructor(entry: URL | string, { args = [], env = {}, cwd, group = false }: SpawnOptions) {
    const file = entry instanceof URL ? entry.pathname : entry;
    this.#group = group;
    this.child = spawn(process.execPath, [file, ...args], {
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "pipe"],
      detached: group,
      ...(cwd !== undefined && { cwd }),
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on("line", (line) => this.lines.push(line));
    }
    running.add(this);
    this.exited = new Promise((resolve) => {
      this.child.once("exit", (code, signal) => {
        running.delete(this);
        resolve({ code, signal });
      });
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Waits for a line that matches, among those printed already too. Fails at once, with what was printed, when the process ends before. */
  async waitForLine(pattern: RegExp | string, timeoutMs = 10_000): Promise<string> {
    const matches = (line: string): boolean =>
      typeof pattern === "string" ? line.includes(pattern) : pattern.test(line);
    const find = (): string | undefined => this.lines.find(matches);
    const hasEnded = (): boolean => this.child.exitCode !== null || this.child.signalCode !== null;
    const what = `a line with ${pattern}`;
    await waitFor(() => find() !== undefined || hasEnded(), { timeoutMs, what }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.lines.join("\n")}`, { cause: error });
    });
    const line = find();
    if (line === undefined) throw new Error(`The process ended without ${what}:\n${this.lines.join("\n")}`);
    return line;
  }

  /** Sends a signal to the process alone, and waits for its end. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<Exit> {
    this.child.kill(signal);
    return await this.exited;
  }

  /** Sends a signal to the process and all its children; only with `group`. */
  async killGroup(signal: NodeJS.Signals = "SIGKILL"): Promise<Exit> {
    if (!this.#group) throw new Error("started without `group`");
    signalTo(-this.pid, signal);
    return await this.exited;
  }

  /** Whatever is left of it. */
  async end(): Promise<void> {
    if (this.#group) signalTo(-this.pid, "SIGKILL");
    await this.kill("SIGKILL");
  }
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended already.
  }
}
