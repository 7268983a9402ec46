// What the entries of benchmarks, failures and cluster tests have in common: reading their arguments, or saying which there are.

import { parseArgs, type ParseArgsConfig } from "node:util";

export function endWith(usage: string): never {
  process.stderr.write(`${usage}\n`);
  // oxlint-disable-next-line unicorn/no-process-exit -- For entries.
  process.exit(2);
}

/** Names and options; ends the process with the usage when there are others. */
export function readArguments<const O extends NonNullable<ParseArgsConfig["options"]>>(
  usage: string,
  options: O,
  args: string[] = process.argv.slice(2),
) {
  try {
    return parseArgs({ allowPositionals: true, options, args });
  } catch {
    return endWith(usage);
  }
}
