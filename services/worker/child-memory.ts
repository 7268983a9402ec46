// How much memory a quarantine child has in use, for main: asked of the child; while it spins, told by how the process grew.

import { readFile } from "node:fs/promises";
import type { ChildProcess } from "node:child_process";

export interface Memory {
  /** Of its heap and its buffers, in use. */
  readonly heapBytes: number;
  /** Of the whole process. */
  readonly residentBytes: number;
}

/** The child's own, as it tells of it. */
export function ownMemory(): Memory {
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapBytes: heapUsed + external, residentBytes: rss };
}

/** A child that answers does so at once. */
const ANSWER_MS = 200;

export class ChildMemory {
  readonly #child: ChildProcess;
  readonly #ask: () => void;
  #known: Memory | undefined;
  #onTold: ((memory: Memory) => void) | undefined;

  constructor(child: ChildProcess, ask: () => void) {
    this.#child = child;
    this.#ask = ask;
  }

  told(memory: Memory): void {
    this.#known = memory;
    this.#onTold?.(memory);
  }

  /** Undefined where nobody can tell: it has never answered, or the system does not say how large a process is. */
  async heapBytes(): Promise<number | undefined> {
    const answered = await this.#answer();
    if (answered !== undefined) return answered.heapBytes;
    const resident = await residentBytes(this.#child.pid);
    const known = this.#known;
    if (known === undefined || resident === undefined) return undefined;
    return known.heapBytes + Math.max(0, resident - known.residentBytes);
  }

  #answer(): Promise<Memory | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), ANSWER_MS);
      this.#onTold = (memory) => {
        clearTimeout(timer);
        resolve(memory);
      };
      this.#ask();
    });
  }
}

/** Linux says it. */
async function residentBytes(pid = 0): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}
