// What the fence log proves or disproves, and the gaps that it shows. Pure.

import type { Entry } from "./fence-log.ts";

/** Known by the holder's token alone, with which a deposed primary may have granted another epoch. */
const NAMES_NO_EPOCH: ReadonlySet<Entry["deed"]> = new Set(["renewal", "release"]);

/** Of one Lease, in the order of time. One line for each thing that must not be. */
export function fenceProblems(entries: readonly Entry[]): string[] {
  const problems: string[] = [];
  let epoch = 0;
  let since = 0;
  for (const { deed, epoch: told, at, lease } of entries) {
    if (deed === "refused") continue;
    const when = new Date(at).toISOString();
    if (deed === "grant") {
      if (told <= epoch) problems.push(`${lease}: epoch ${told} was granted at ${when} after ${epoch}`);
      epoch = told;
      since = at;
    } else if (told > epoch && NAMES_NO_EPOCH.has(deed)) {
      continue;
    } else if (told > epoch && epoch > 0) {
      problems.push(`${lease}: ${deed} at ${when} under epoch ${told} that nobody saw granted`);
      epoch = told;
    } else if (told < epoch) {
      problems.push(
        `${lease}: ${deed} at ${when} under epoch ${told}, ${Math.round(at - since)} ms after ${epoch} began`,
      );
    }
  }
  return problems;
}

/** For how long two epochs were both accepted, ms; 0 as it must be. */
export function overlapMs(entries: readonly Entry[]): number {
  const spans = new Map<number, { first: number; last: number }>();
  for (const { deed, epoch, at } of entries) {
    if (deed === "refused") continue;
    const span = spans.get(epoch) ?? { first: at, last: at };
    span.last = Math.max(span.last, at);
    spans.set(epoch, span);
  }
  const list = [...spans.values()].toSorted((a, b) => a.first - b.first);
  return list.reduce((sum, { last }, index) => {
    const next = list[index + 1];
    return next && last > next.first ? sum + last - next.first : sum;
  }, 0);
}

export function grants(entries: readonly Entry[]): readonly Entry[] {
  return entries.filter(({ deed }) => deed === "grant");
}

export function refusals(entries: readonly Entry[]): number {
  return entries.filter(({ deed }) => deed === "refused").length;
}

export interface Handover {
  /** From the release of the old leader, or its last sign of life, to the grant. */
  readonly lockMs: number;
  /** From the last event that was taken in before to the first one after; undefined if there was none. */
  readonly intakeMs: number | undefined;
  readonly epoch: number;
}

/** Every change of the leader, oldest first. */
export function handovers(entries: readonly Entry[]): Handover[] {
  return grants(entries)
    .slice(1)
    .map(({ epoch, at }) => {
      const before = entries.filter((entry) => entry.at < at && entry.epoch < epoch && entry.deed !== "refused");
      const held = before.findLast(({ deed }) => deed === "release" || deed === "renewal" || deed === "grant");
      const last = before.findLast(({ deed }) => deed === "intake");
      const first = entries.find((entry) => entry.deed === "intake" && entry.epoch === epoch);
      return { epoch, lockMs: at - (held?.at ?? at), intakeMs: last && first ? first.at - last.at : undefined };
    });
}
