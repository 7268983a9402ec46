// What people see of the local stack: the log lines of all its processes, one colour each, above the shell's prompt.

import { stripVTControlCharacters } from "node:util";
import { prettyLine } from "../telemetry/logs.ts";

export interface ConsoleOptions {
  readonly format: "json" | "pretty";
  readonly colour: boolean;
  write(text: string): void;
}

const COLOURS = ["\x1b[36m", "\x1b[35m", "\x1b[34m", "\x1b[33m", "\x1b[32m"];
const RESET = "\x1b[0m";

export class Console {
  readonly #options: ConsoleOptions;
  readonly #colours = new Map<string, string>();
  #write: (text: string) => void;

  constructor(options: ConsoleOptions) {
    this.#options = options;
    this.#write = options.write;
  }

  /** Where lines go from now on: a shell puts them above its prompt. Without an argument: back to where they went. */
  redirect(write?: (text: string) => void): void {
    this.#write = write ?? this.#options.write;
  }

  /** One line that a process wrote. */
  line(source: string, text: string, stream: "stdout" | "stderr" = "stdout"): void {
    if (this.#options.format === "pretty") return this.#write(this.#asPretty(source, text));
    const level = stream === "stderr" ? "warn" : "info";
    const fields = isLogLine(text)
      ? text.slice(1)
      : `"level":"${level}","event":"output","msg":${JSON.stringify(text)}}`;
    this.#write(`{"process":${JSON.stringify(source)},${fields}\n`);
  }

  /** A line as it is. */
  plain(text: string): void {
    this.#write(`${text}\n`);
  }

  #asPretty(source: string, text: string): string {
    const body = isLogLine(text) ? prettyLine(text) : `${text}\n`;
    const prefix = `${this.#colour(source)}${source.padEnd(8)}${RESET} `;
    const lines = body
      .trimEnd()
      .split("\n")
      .map((line) => `${prefix}${line}\n`);
    return this.#options.colour ? lines.join("") : stripVTControlCharacters(lines.join(""));
  }

  #colour(source: string): string {
    const known = this.#colours.get(source) ?? COLOURS[this.#colours.size % COLOURS.length] ?? "";
    this.#colours.set(source, known);
    return known;
  }
}

function isLogLine(text: string): boolean {
  if (!text.startsWith('{"level":')) return false;
  try {
    return typeof JSON.parse(text) === "object";
  } catch {
    return false;
  }
}
