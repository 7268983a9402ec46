#!/usr/bin/env node
// The entry: finds the command or mode, gives it settings and signals, and ends with its exit code. The only exit().

import { availableParallelism } from "node:os";
import { type Command, helpOf, parseWords, UsageError } from "./cli/command.ts";
import { commandList, findCommand } from "./cli/commands.ts";
import { readConfig } from "./config/read.ts";
import { AntiphonError } from "./runtime/errors.ts";

/** How long a process whose parent has gone may take to stop. */
const ORPHAN_MS = 3000;

const stopping = new AbortController();

/** SIGTERM and the first SIGINT drain; a second SIGINT ends at once. */
function heedSignals(): void {
  let interrupts = 0;
  process.on("SIGTERM", () => stopping.abort("SIGTERM"));
  process.on("SIGINT", () => {
    if (++interrupts > 1) process.exit(1);
    stopping.abort("SIGINT");
  });
}

/** A child of `antiphon dev` must not outlive it, also when it was killed: then the channel between them closes. */
function heedParent(): void {
  process.once("disconnect", () => {
    stopping.abort("parent gone");
    setTimeout(() => process.exit(1), ORPHAN_MS);
  });
}

async function run(command: Command, args: readonly string[]): Promise<number> {
  const parsed = parseWords(command, args);
  if (parsed.options["help"] === true) return print(helpOf(command));
  const dev = parsed.options["dev"] === true;
  const file = parsed.options["config"];
  heedSignals();
  if (dev) heedParent();
  return command.run({
    ...parsed,
    env: process.env,
    cwd: process.cwd(),
    stopping: stopping.signal,
    print,
    ready: (at) => process.send?.({ type: "ready", ...at }),
    readConfig: (purpose) =>
      readConfig(purpose, {
        env: process.env,
        cwd: process.cwd(),
        cores: availableParallelism(),
        terminal: process.stdout.isTTY,
        dev,
        ...(typeof file === "string" && { file }),
      }),
  });
}

function print(line: string): 0 {
  process.stdout.write(`${line}\n`);
  return 0;
}

/** Where it says itself what to do, nothing more general is said. */
function told({ message, remedy }: AntiphonError): string {
  return message.includes("Remedy: ") ? `${message}\n` : `${message}\nRemedy: ${remedy}\n`;
}

function complain(error: unknown, name: string | undefined): number {
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\nTry: antiphon ${name === undefined ? "" : `${name} `}--help\n`);
    return 2;
  }
  process.stderr.write(error instanceof AntiphonError ? told(error) : `${(error as Error)?.stack ?? error}\n`);
  return 1;
}

async function main([name, ...args]: readonly string[]): Promise<number> {
  let known: string | undefined;
  try {
    if (name === undefined) throw new UsageError(commandList());
    if (name === "--help" || name === "-h" || name === "help") return print(commandList());
    const command = await findCommand(name);
    known = name;
    return await run(command, args);
  } catch (error) {
    return complain(error, known);
  }
}

process.exit(await main(process.argv.slice(2)));
