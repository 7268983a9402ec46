// Which Deployments the masters scale, and within what bounds: how the setting is written, and what contradicts itself in it.

import { type Kind, list } from "./kinds.ts";

/** The workers of one pool. */
export interface ScaleTarget {
  readonly pool: string;
  readonly deployment: string;
  readonly min: number;
  readonly max: number;
}

const TARGET = /^([^{}:\s,=]{1,64})=([a-z0-9][a-z0-9.-]{0,252}):(\d{1,5})-(\d{1,5})$/;

export const scaleTargets: Kind<readonly ScaleTarget[]> = {
  says: "a list (separated by commas) of pool=Deployment:min-max, e.g. default=antiphon-worker:2-10",
  read: (raw, written) => {
    const matches = list.read(raw, written)?.map((entry) => TARGET.exec(entry));
    const targets = matches?.flatMap((match) => {
      const [, pool = "", deployment = "", min, max] = match ?? [];
      return match ? [{ pool, deployment, min: Number(min), max: Number(max) }] : [];
    });
    return targets?.length === matches?.length ? targets : undefined;
  },
};

/** One sentence each. */
export function scaleProblems(targets: readonly ScaleTarget[]): string[] {
  const where = "ANTIPHON_SCALE_TARGETS";
  const problems = targets.flatMap(({ pool, min, max }) => [
    ...(min < 1 ? [`${where}: the minimum of pool ${pool} is 0, but somebody must receive webhooks; at least 1.`] : []),
    ...(min > max ? [`${where}: the minimum of pool ${pool} is ${min}, above its maximum ${max}.`] : []),
  ]);
  for (const what of ["pool", "deployment"] as const) {
    const names = targets.map((target) => target[what]);
    const twice = new Set(names.filter((name, at) => names.indexOf(name) !== at));
    for (const name of twice) problems.push(`${where} names the ${what} ${name} more than once.`);
  }
  return problems;
}
