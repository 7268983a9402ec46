// Settlements on their way into the settle scripts, and the answers on their way back.
//
// Most deliveries end well and say nothing more: those go in columns, which the script handles with a few calls for all of
// them. All others go in groups. A key's deliveries stay in order: once one of them is in a group, the next ones are too.

import { publicId } from "../runtime/ids.ts";
import type { Argument, Reply } from "../redis/scripts.ts";
import type { Settled, Settlement } from "./claims.ts";
import type { BrokerContext } from "./connection.ts";
import { decodeElement, encodeElement } from "./delivery.ts";
import { effectArguments } from "./effects.ts";
import { claimText, decodeTaken } from "./taken.ts";

export interface Encoded {
  /** There are no groups. */
  readonly isPlain: boolean;
  readonly args: Argument[];
  /** Answers in the order of the settlements. */
  readonly decode: (reply: Reply[]) => Settled;
}

/** `columns` false: all of them in groups, for queues whose settle looks at each. */
export function encodeSettlements(context: BrokerContext, settlements: readonly Settlement[], columns = true): Encoded {
  const plain: number[] = [];
  const grouped: number[] = [];
  const keysInGroups = new Set<string>();
  for (const [index, settlement] of settlements.entries()) {
    const { key } = settlement.claim;
    if (columns && isPlain(settlement) && !keysInGroups.has(key)) {
      plain.push(index);
    } else {
      grouped.push(index);
      if (key !== "") keysInGroups.add(key);
    }
  }
  const at = (index: number): Settlement => settlements[index] as Settlement;
  const ordered = inColumns(plain, at);
  const args = [...plainArguments(ordered.map(at)), ...groupArguments(context, grouped.map(at))];
  return { isPlain: grouped.length === 0, args, decode: (reply) => decodeSettled(reply, ordered, grouped) };
}

function isPlain({ kind, effects, claim, origin }: Settlement): boolean {
  return kind === "done" && effects.length === 0 && claim.bodyToken === "" && publicId(claim.id) === origin;
}

/** The unkeyed ones first, then each key's together. */
function inColumns(plain: readonly number[], at: (index: number) => Settlement): number[] {
  const byKey = new Map<string, number[]>([["", []]]);
  for (const index of plain) {
    const { key } = at(index).claim;
    const run = byKey.get(key);
    if (run === undefined) byKey.set(key, [index]);
    else run.push(index);
  }
  return [...byKey.values()].flat();
}

/** As lib/settle-plain.lua reads them. */
function plainArguments(list: readonly Settlement[]): Argument[] {
  if (list.length === 0) return [0];
  const args: Argument[] = [list.length];
  const runs: Argument[] = [];
  const lines: string[] = [];
  for (const { claim, history } of list) {
    args.push(claim.id);
    if (history !== "") lines.push(history);
    const isSameRun = runs.at(-3) === claim.key && runs.at(-2) === claim.fence;
    if (isSameRun) runs[runs.length - 1] = Number(runs.at(-1)) + 1;
    else runs.push(claim.key, claim.fence, 1);
  }
  args.push(runs.length / 3, ...runs);
  // Lines and deliveries must go together, so that what is lost leaves no line.
  if (lines.length === list.length) args.push(lines.length, lines.join("\n"));
  else args.push(0, "");
  return args;
}

/** Neighbours that are done under one key, or unkeyed, form one group; every other outcome is a group of its own. */
function groupArguments(context: BrokerContext, settlements: readonly Settlement[]): Argument[] {
  const groups: Settlement[][] = [];
  for (const settlement of settlements) {
    const last = groups.at(-1);
    const first = last?.[0];
    const joins =
      first && settlement.kind === "done" && first.kind === "done" && first.claim.key === settlement.claim.key;
    if (joins) last.push(settlement);
    else groups.push([settlement]);
  }
  const args: Argument[] = [groups.length];
  for (const group of groups) {
    const [first] = group as [Settlement];
    args.push(first.kind, first.claim.key, first.delayMs ?? 0, (first.error ?? "").slice(0, 2048), group.length);
    for (const settlement of group) pushDelivery(args, context, settlement);
  }
  return args;
}

function pushDelivery(args: Argument[], context: BrokerContext, s: Settlement): void {
  const { claim } = s;
  const own = publicId(claim.id) === s.origin ? "1" : "";
  args.push(claim.id, claimText(claim), claim.elementText, nextElement(s), s.origin, own, claim.bodyToken, s.history);
  args.push(s.effects.length);
  for (const effect of s.effects) args.push(...effectArguments(context, effect));
}

function nextElement({ kind, claim }: Settlement): string {
  if (kind === "done" || kind === "moved" || kind === "gone") return "";
  if (kind === "wait" || kind === "park") return claim.elementText;
  const element = decodeElement(claim.elementText);
  return encodeElement(
    kind === "crash" ? { ...element, crashes: element.crashes + 1 } : { ...element, attempts: element.attempts + 1 },
  );
}

function decodeSettled(reply: Reply[], plain: readonly number[], grouped: readonly number[]): Settled {
  const [ofPlain, ofGroups] = reply[0] as [Reply, Reply[]];
  const settled = Array.from({ length: plain.length + grouped.length }, () => true);
  if (Array.isArray(ofPlain)) for (const [n, index] of plain.entries()) settled[index] = Number(ofPlain[n]) === 1;
  for (const [n, index] of grouped.entries()) settled[index] = Number(ofGroups[n]) === 1;
  return reply[1] === null || reply[1] === undefined
    ? { settled }
    : { settled, taken: decodeTaken(reply[1] as Reply[]) };
}
