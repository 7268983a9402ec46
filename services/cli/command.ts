// What a command is: its words and options, the help made of them, and what it is given when it runs.

import { parseArgs } from "node:util";
import type { Config } from "../config/config.ts";
import type { ConfigFor } from "../config/row.ts";
import { suggestion } from "../runtime/suggest.ts";

export interface Option {
  readonly type: "string" | "boolean";
  /** What stands for the value in the help, e.g. URL. */
  readonly value?: string;
  readonly help: string;
}

/** Where a mode that has started can be reached. */
export interface Addresses {
  readonly http?: number;
  readonly admin?: number;
}

export interface CommandContext {
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Aborts when the process is asked to stop. */
  readonly stopping: AbortSignal;
  readConfig(purpose: ConfigFor): Promise<Config>;
  /** One line on standard output. */
  print(line: string): void;
  /** Tells the process that started this one, if it listens, that a mode serves from now on. */
  ready(at: Addresses): void;
}

export interface Command {
  readonly name: string;
  /** After the name, e.g. `[ls]`. */
  readonly words?: string;
  readonly help: string;
  readonly options: Readonly<Record<string, Option>>;
  /** @returns the exit code: 0 ok, 1 problem */
  run(context: CommandContext): Promise<number>;
}

/** The command line was not understood: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const EVERYWHERE: Readonly<Record<string, Option>> = {
  config: { type: "string", value: "FILE", help: "the settings file, unless ANTIPHON_CONFIG names one" },
  help: { type: "boolean", help: "this text" },
};

/** @throws UsageError */
export function parseWords(command: Command, args: readonly string[]): Pick<CommandContext, "options" | "words"> {
  const options = { ...command.options, ...EVERYWHERE };
  const known = Object.keys(options).map((name) => `--${name}`);
  for (const arg of args) {
    const name = arg.replace(/=.*$/s, "");
    if (arg === "--") break;
    if (name.startsWith("-") && name !== "-" && name !== "-h" && !known.includes(name))
      throw new UsageError(`${command.name} has no option ${name}.${suggestion(name, known)}`);
  }
  const types: Record<string, { type: "string" | "boolean"; short?: string }> = {};
  for (const [name, { type }] of Object.entries(options))
    types[name] = name === "help" ? { type, short: "h" } : { type };
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: types, allowPositionals: true });
    if (command.words === undefined && positionals[0] !== undefined && values["help"] !== true)
      throw new UsageError(`${command.name} takes no words, and got ${positionals[0]}.`);
    return { options: values as CommandContext["options"], words: positionals };
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(error instanceof Error ? error.message : String(error));
  }
}

export function helpOf(command: Command): string {
  const rows = Object.entries({ ...command.options, ...EVERYWHERE }).map(([name, option]) => [
    `--${name}${option.type === "string" ? ` ${option.value ?? "TEXT"}` : ""}`,
    option.help,
  ]);
  const words = command.words === undefined ? "" : ` ${command.words}`;
  return `antiphon ${command.name}${words} [options]\n\n${command.help}\n\n${columns(rows)}`;
}

/** Rows as aligned text, two blanks in front of each. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  return rows.map((row) => `  ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  ")}`.trimEnd()).join("\n");
}
