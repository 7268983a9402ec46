// The order of jobs that wait for each other by names of their own: predecessors first, and no circles. Pure.

import { AntiphonError } from "../runtime/errors.ts";
import { suggestion } from "../runtime/suggest.ts";

export interface Named {
  readonly name: string;
  /** Names of steps that must have finished before. */
  readonly after?: readonly string[];
}

/**
 * The steps in waves: those of one wave wait only for those of earlier ones.
 * Throws INPUT_INVALID with everything that is wrong with the names, or DEPENDENCY_CYCLE with its path.
 */
export function wavesOf<S extends Named>(steps: readonly S[]): S[][] {
  checkNames(steps);
  const done = new Set<string>();
  let left = [...steps];
  const waves: S[][] = [];
  while (left.length > 0) {
    const ready = left.filter(({ after = [] }) => after.every((name) => done.has(name)));
    if (ready.length === 0) throw new AntiphonError("DEPENDENCY_CYCLE", `${cycleIn(left).join(" → ")}.`);
    for (const { name } of ready) done.add(name);
    waves.push(ready);
    left = left.filter(({ name }) => !done.has(name));
  }
  return waves;
}

function checkNames(steps: readonly Named[]): void {
  const names = new Set<string>();
  const problems: string[] = [];
  for (const { name } of steps) {
    if (typeof name !== "string" || name === "") problems.push("each step needs a name");
    else if (names.has(name)) problems.push(`two steps are called ${name}`);
    names.add(name);
  }
  for (const { name, after = [] } of steps)
    for (const other of after)
      if (!names.has(other))
        problems.push(`${name} waits for ${other}, and there is no such step.${suggestion(other, names)}`);
  if (problems.length > 0) throw new AntiphonError("INPUT_INVALID", `flow: ${problems.join("; ")}`);
}

/** Every step given waits for another one of them, so whoever follows the arrows comes back to where they were. */
function cycleIn(steps: readonly Named[]): string[] {
  const byName = new Map(steps.map((step) => [step.name, step]));
  const path: string[] = [];
  let at = steps[0]?.name ?? "";
  while (!path.includes(at)) {
    path.push(at);
    at = byName.get(at)?.after?.find((name) => byName.has(name)) ?? "";
  }
  return [...path.slice(path.indexOf(at)), at];
}
