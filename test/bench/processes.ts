// Processes of a benchmark: started, read line by line, measured through /proc, and each ended by its own id.

import { type ChildProcess, fork, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { createInterface } from "node:readline";

export interface StartOptions {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Otherwise this Node. */
  readonly command?: string;
  /** In a process group of its own, for what starts children itself. */
  readonly group?: boolean;
}

const END_MS = 8_000;
const LINES_KEPT = 2_000;
const TICKS_PER_SECOND = 100;
const everything = new Set<{ kill(): void }>();

/** A benchmark that is interrupted or fails leaves nothing behind. */
export function endAllOnExit(): void {
  process.once("exit", () => {
    for (const started of everything) started.kill();
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
}

/** Only what a process needs of our environment, so that somebody's settings change no figure. */
function surroundings(): Record<string, string | undefined> {
  return { PATH: process.env["PATH"], HOME: process.env["HOME"] };
}

export class Started {
  readonly child: ChildProcess;
  readonly startedAt = performance.now();
  readonly #lines: string[] = [];
  readonly #group: boolean;
  #onLine: () => void = () => {};
  #isOver = false;
  readonly ended: Promise<void>;

  constructor({ args, env = {}, cwd, command = process.execPath, group = false }: StartOptions) {
    this.#group = group;
    this.child = spawn(command, args, {
      env: { ...surroundings(), ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: group,
      ...(cwd !== undefined && { cwd }),
    });
    everything.add(this);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on("line", (line) => this.#hear(line));
    }
    this.ended = new Promise((resolve) => {
      const gone = (): void => {
        this.#isOver = true;
        if (!this.#group) everything.delete(this);
        this.#onLine();
        resolve();
      };
      this.child.once("exit", gone).once("error", (error) => {
        this.#hear(String(error));
        gone();
      });
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  get hasEnded(): boolean {
    return this.#isOver;
  }

  /** The first line that matches. Throws, with what was printed, when the process ends or the time is over before. */
  async line(pattern: RegExp, timeoutMs = 20_000): Promise<string> {
    const late = performance.now() + timeoutMs;
    for (;;) {
      const found = this.#lines.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      const leftMs = late - performance.now();
      if (this.hasEnded || leftMs <= 0) {
        throw new Error(`no line ${pattern} from process ${this.pid}:\n${this.#lines.slice(-30).join("\n")}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#onLine = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Asks it to end; makes it end when it does not. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const late = performance.now() + END_MS;
    this.#signal(signal);
    while (this.#isThere() && performance.now() < late) await new Promise((resolve) => setTimeout(resolve, 10));
    this.#signal("SIGKILL");
    await this.ended;
    everything.delete(this);
  }

  kill(): void {
    this.#signal("SIGKILL");
  }

  #isThere(): boolean {
    return !this.hasEnded || (this.#group && this.#signal(0));
  }

  /** To the group of its own, if it has one. @returns whether anybody was there */
  #signal(signal: NodeJS.Signals | 0): boolean {
    if (!this.#group || this.pid === 0) return this.child.kill(signal);
    try {
      return process.kill(-this.pid, signal);
    } catch {
      return false;
    }
  }

  #hear(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > LINES_KEPT) this.#lines.splice(0, LINES_KEPT / 2);
    this.#onLine();
  }
}

/** A process that measures: told what to do and answering with plain data over Node's own channel. */
export class Measurer<To extends object, From extends { readonly type: string }> {
  readonly #child: ChildProcess;
  readonly #heard: From[] = [];
  #wake: () => void = () => {};
  #failure: string | undefined;
  readonly #ended: Promise<void>;

  constructor(entry: URL) {
    this.#child = fork(entry, {
      env: surroundings(),
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    everything.add(this);
    this.#child.on("message", (message) => {
      this.#heard.push(message as From);
      this.#wake();
    });
    // Messages may still come after its exit, until the channel is closed.
    const closed = new Promise<void>((resolve) => this.#child.once("disconnect", resolve));
    this.#ended = new Promise((resolve) => {
      this.#child.once("exit", (code, signal) => {
        everything.delete(this);
        void closed.then(() => {
          this.#failure = `a measuring process ended: ${signal ?? code}`;
          this.#wake();
        });
        resolve();
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  tell(message: To): void {
    if (this.#child.connected) this.#child.send(message);
  }

  /** The next message of a type; those before it are dropped. Throws when the process ends or the time is over. */
  async hear<T extends From["type"]>(type: T, timeoutMs: number): Promise<Extract<From, { readonly type: T }>> {
    const late = performance.now() + timeoutMs;
    for (;;) {
      for (let next = this.#heard.shift(); next !== undefined; next = this.#heard.shift()) {
        if (next.type === type) return next as Extract<From, { readonly type: T }>;
      }
      const leftMs = late - performance.now();
      if (this.#failure !== undefined || leftMs <= 0)
        throw new Error(this.#failure ?? `no "${type}" in ${timeoutMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async end(): Promise<void> {
    this.kill();
    await this.#ended;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** In MiB; `VmRSS` is what it has now, `VmHWM` the most it ever had. */
export function memoryOf(pid: number, field: "VmRSS" | "VmHWM" = "VmRSS"): number {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(text)?.[1] ?? Number.NaN) / 1024;
}

/** Seconds of CPU that a process has used, all its threads together; NaN of one that has ended. */
export function cpuOf(pid: number): number {
  return secondsIn(`/proc/${pid}/stat`);
}

/** The same by the names of its threads, without those that have ended. */
export function cpuOfThreads(pid: number): Record<string, number> {
  const seconds: Record<string, number> = {};
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${thread}`;
    const name = readFileSync(`${folder}/comm`, "utf8").trim();
    seconds[name] = (seconds[name] ?? 0) + secondsIn(`${folder}/stat`);
  }
  return seconds;
}

function secondsIn(file: string): number {
  try {
    const fields = readFileSync(file, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return Number.NaN;
  }
}

/** Seconds of CPU that all processes of the machine have used, and that its host took away. */
export function cpuOfAll(): number {
  const [user = 0, nice = 0, system = 0, _idle, _ioWait, irq = 0, softIrq = 0, steal = 0] = readFileSync(
    "/proc/stat",
    "utf8",
  )
    .split("\n", 1)
    .flatMap((line) => line.split(/\s+/).slice(1).map(Number));
  return (user + nice + system + irq + softIrq + steal) / TICKS_PER_SECOND;
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
