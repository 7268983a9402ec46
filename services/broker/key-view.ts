// The ordering keys of a queue: which have most waiting, and which wait for a time, a limit or a pause. One call that looks at a
// bounded number of keys, however many there are: those first in line, those claimed, those that are due first.

import { loadScript, type Reply, text, utf8 } from "../redis/scripts.ts";
import { type BrokerContext, callBroker } from "./connection.ts";

const KEYS = loadScript(new URL("./lua/keys.lua", import.meta.url));
/** Keys of each of the four rings, claims, and entries of the delayed set that one call looks at. */
const PAGE = 250;
const CLAIMS_MAX = 1000;
const DELAYED_MAX = 1000;
const LIMIT = 50;

export interface KeyShown {
  readonly key: string;
  /** Its deliveries, with those that run. */
  readonly waiting: number;
  /** `ready`: its head may be claimed. `delayed`: for a time or a limit. `paused`: until somebody resumes it or its route. */
  readonly state: "ready" | "running" | "paused" | "delayed";
  /** Of a delayed one. */
  readonly untilMs?: number;
}

export interface KeyView {
  /** Most waiting first. */
  readonly hottest: readonly KeyShown[];
  /** Soonest first, paused ones last. */
  readonly blocked: readonly KeyShown[];
  /** How many keys were looked at, and how many there are besides those that wait for something. */
  readonly looked: number;
  readonly keys: number;
  /** Where the next call goes on; undefined at the end. */
  readonly next: string | undefined;
}

/** `cursor`: what an earlier call gave as `next`. */
export async function keyView(
  context: BrokerContext,
  queue: string,
  { limit = LIMIT, cursor }: { readonly limit?: number; readonly cursor?: string } = {},
): Promise<KeyView> {
  const offset = Math.max(0, Math.trunc(Number(cursor ?? 0)) || 0);
  const args = [offset, PAGE, CLAIMS_MAX, DELAYED_MAX];
  const reply = (await callBroker(context, { script: KEYS, keys: [context.keys.queue(queue)], args })) as Reply[];
  const [total, ready, claimed, delayed] = reply;
  const first = rows(ready, 2, "ready");
  const running = rows(claimed, 2, "running");
  const blocked = rows(delayed, 3, "delayed").map(withTime);
  const all = [...first, ...running, ...blocked];
  return {
    hottest: all.toSorted((a, b) => b.waiting - a.waiting).slice(0, limit),
    blocked: blocked.slice(0, limit).map(({ key, waiting, state, untilMs }) => ({
      key,
      waiting,
      state,
      ...(untilMs !== undefined && { untilMs }),
    })),
    looked: all.length,
    keys: Number(total) + running.length,
    next: first.length === 0 ? undefined : nextOf(offset, Number(total), first.length),
  };
}

/** Rings are read side by side, so there may be more until the whole of them was passed. */
function nextOf(offset: number, total: number, looked: number): string | undefined {
  return offset + PAGE < total && looked >= PAGE ? String(offset + PAGE) : undefined;
}

interface Row extends KeyShown {
  readonly score?: string;
}

function rows(reply: Reply | undefined, width: 2 | 3, state: KeyShown["state"]): Row[] {
  const flat = (reply ?? []) as Reply[];
  return Array.from({ length: flat.length / width }, (_, index) => {
    const at = index * width;
    const row = { key: utf8(flat[at]), waiting: Number(flat[at + 1]), state };
    return width === 3 ? { ...row, score: text(flat[at + 2]) } : row;
  });
}

/** Redis writes infinity as "inf". */
function withTime({ score = "inf", ...row }: Row): KeyShown {
  return score === "inf" ? { ...row, state: "paused" } : { ...row, untilMs: Number(score) };
}
