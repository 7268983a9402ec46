// What is known of each queue, for whoever scales or watches: how much is in it, how fast it goes, who serves it. One call for
// each, all in one round trip, whose work does not grow with what is in the queue.

import { type Reply, loadScript, runScript, text, utf8 } from "../redis/scripts.ts";
import type { WorkerFacts } from "./claims.ts";
import { type BrokerContext, translate, withOffset } from "./connection.ts";
import { queueNames } from "./reap.ts";
import { isOutbox } from "./served.ts";

const FIGURES = loadScript(new URL("./lua/figures.lua", import.meta.url));

export interface QueueFigures {
  readonly name: string;
  /** In line, what stands behind others of its key included. */
  readonly ready: number;
  readonly claimed: number;
  /** Due later. */
  readonly delayed: number;
  readonly dead: number;
  /** Deliveries and keys that could be run at the same time. A key's deliveries are run one after another. */
  readonly sideBySide: number;
  /** How long the oldest one that is next in line has been ready; 0 when nothing is. */
  readonly oldestMs: number;
  /** The same of a typical one, where there are several. */
  readonly typicalMs: number;
  readonly arrivalsPerSecond: number;
  /** Null: nothing has run yet. */
  readonly meanRunMs: number | null;
  /** Slots that are held for each thread that is busy; null: nothing has run yet. */
  readonly slotsPerBusyThread: number | null;
  /** Nothing new of it is begun. */
  readonly isPaused: boolean;
  /** Over all workers. */
  readonly limits: { readonly concurrency?: number; readonly perSecond?: number };
  /** Those that live. */
  readonly workers: readonly WorkerFacts[];
}

/** Of all queues but outboxes, in the order of their names. */
export async function queueFigures(context: BrokerContext): Promise<QueueFigures[]> {
  const names = (await queueNames(context)).filter((name) => !isOutbox(name)).sort();
  try {
    return await Promise.all(names.map((name) => figuresOf(context, name)));
  } catch (error) {
    throw translate(error);
  }
}

/** Of one; a name that no queue has is told as an empty one. */
export async function figuresOf(context: BrokerContext, name: string): Promise<QueueFigures> {
  const call = withOffset(context, { script: FIGURES, keys: [context.keys.queue(name)], args: [] });
  const reply = (await runScript(context.client, call)) as Reply[];
  const [ready = 0, claimed = 0, delayed = 0, dead = 0, sideBySide = 0, oldestMs = 0, typicalMs = 0, ...rest] = reply
    .slice(0, 13)
    .map((one) => Number(text(one)));
  const [arrivals = 0, finished = 0, runMs = 0, heldMs = 0, busyMs = 0, paused = 0] = rest;
  return {
    name,
    ready,
    claimed,
    delayed,
    dead,
    sideBySide,
    oldestMs,
    typicalMs,
    arrivalsPerSecond: Math.max(0, arrivals),
    meanRunMs: meanOf({ finished, runMs, heldMs, claimed }),
    slotsPerBusyThread: heldMs > 0 && busyMs > 0 ? heldMs / busyMs : null,
    isPaused: paused === 1,
    limits: limitsOf(text(reply[13])),
    workers: factsOf(reply[14] as Reply[]),
  };
}

interface Sums {
  readonly finished: number;
  readonly runMs: number;
  readonly heldMs: number;
  readonly claimed: number;
}

/** Of those that finished; not less than what those that have not finished have taken already. */
function meanOf({ finished, runMs, heldMs, claimed }: Sums): number | null {
  if (finished === 0 && heldMs === 0) return null;
  const ofFinished = finished === 0 ? 0 : runMs / finished;
  return Math.max(ofFinished, heldMs / Math.max(1, finished + claimed));
}

/** As lib/limits.lua reads it. */
function limitsOf(stored: string): QueueFigures["limits"] {
  const [rate = 0, perMs = 0, , , concurrency = 0] = stored.split(" ").map(Number);
  return {
    ...(concurrency > 0 && { concurrency }),
    ...(rate > 0 && perMs > 0 && { perSecond: (rate * 1000) / perMs }),
  };
}

/** `wid`, `<client id> <pod> <JSON>`, … What cannot be read is left out. */
function factsOf(list: readonly Reply[]): WorkerFacts[] {
  const infos = list.filter((_, index) => index % 2 === 1);
  return infos.flatMap((info): WorkerFacts[] => {
    try {
      return [JSON.parse(utf8(info).replace(/^\S* \S* /, "")) as WorkerFacts];
    } catch {
      return [];
    }
  });
}
