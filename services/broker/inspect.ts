// Looks into queues without changing them: how much is in one (depth.ts), and what is not finished in all of them.

import { loadScript, type Reply, text, utf8 } from "../redis/scripts.ts";
import { type BrokerContext, callBroker } from "./connection.ts";

export { queueDepth, type QueueDepth } from "./depth.ts";

const UNFINISHED = loadScript(new URL("./lua/unfinished.lua", import.meta.url));

export interface Held {
  readonly queue: string;
  readonly wid: string;
  /** The delivery's number, decimal. */
  readonly id: string;
}

export interface Registered {
  readonly queue: string;
  readonly wid: string;
  /** When its claims run out, ms since 1970; infinite for an outbox. */
  readonly untilMs: number;
}

export interface Unfinished {
  /** By the server's clock, ms since 1970, as all times here. */
  readonly nowMs: number;
  /** Unkeyed deliveries and ordering keys that may be claimed. */
  readonly ready: number;
  /** Delayed deliveries and schedules whose time has come. */
  readonly due: number;
  /** When the next of those comes due. */
  readonly nextMs: number | null;
  readonly claimed: readonly Held[];
  readonly workers: readonly Registered[];
}

/** All queues and outboxes of the bot at one moment. Reads everything there is: for tests, where little is. */
export async function unfinished(context: BrokerContext): Promise<Unfinished> {
  const call = { script: UNFINISHED, keys: [context.keys.queues()], args: [] };
  const [now, ready, due, next, claims, workers] = (await callBroker(context, call)) as Reply[];
  return {
    nowMs: Number(text(now)),
    ready: Number(ready),
    due: Number(due),
    nextMs: text(next) === "" ? null : Number(text(next)),
    claimed: triples(claims).map(([queue, wid, id]) => ({ queue, wid, id })),
    workers: triples(workers).map(([queue, wid, until]) => ({ queue, wid, untilMs: timeOf(until) })),
  };
}

function triples(reply: Reply | undefined): Triple[] {
  const flat = (reply as Reply[]).map((value) => utf8(value));
  return Array.from({ length: flat.length / 3 }, (_, index) => flat.slice(3 * index, 3 * index + 3) as Triple);
}

type Triple = [string, string, string];

/** Redis writes infinity as "inf". */
function timeOf(score: string): number {
  return score === "inf" ? Number.POSITIVE_INFINITY : Number(score);
}
