// Picks the rules of the bus out of what was imported: at most one definition.

import { type BusDefinition, type BusRules, busProblems } from "../sdk/bus.ts";
import { type Found, looksLikeBus } from "./modules.ts";
import type { Problem } from "./problem.ts";

const FORMAT = 1;

/** Undefined: nobody may read anything. What is wrong goes into `problems`. */
export function busOf(found: readonly Found[], problems: Problem[]): BusDefinition | undefined {
  const definitions = found.filter(({ value }) => looksLikeBus(value));
  const [first, ...others] = definitions;
  for (const { file } of others) problems.push({ file, reason: `the bus is also defined in ${first?.file ?? ""}` });
  if (first === undefined) return undefined;
  const { format, kind: _kind, ...rules } = first.value as BusDefinition & BusRules;
  if (format !== FORMAT) {
    const reason = `the bus has format ${String(format)}, this Antiphon reads format ${FORMAT}: install the same version of antiphon`;
    problems.push({ file: first.file, reason });
    return undefined;
  }
  for (const problem of busProblems(rules)) problems.push({ file: first.file, reason: `the bus: ${problem}` });
  return first.value as BusDefinition;
}
