// What is known of each queue, for whoever scales or watches: how much is in it, how fast it goes, who serves it. One call for
// each, all in one round trip, whose work does not grow with what is in the queue.

import { type Reply, loadScript, runScript, text, utf8 } from "../redis/scripts.ts";
import type { WorkerFacts } from "./claims.ts";
import { type BrokerContext, translate, withOffset } from "./connection.ts";
import { decodeInfo, queueNames } from "./registered.ts";
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
  readonly finishedPerSecond: number;
  /** Attempts that failed, also those that are made again. */
  readonly failedPerSecond: number;
  /** As the worker told it with its beat. */
  readonly lastFailure: LastFailure | undefined;
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
  /** The same, each with what it has claimed of this queue. */
  readonly claimers: readonly Claimer[];
}

export interface Claimer {
  readonly pod: string;
  readonly claimed: number;
  readonly facts: WorkerFacts | undefined;
}

export interface LastFailure {
  /** ms since 1970, by the server's clock. */
  readonly atMs: number;
  readonly id: string;
  /** Number of its route; 0: a Message whose route is not known. */
  readonly route: number;
  readonly message: string;
}

/** Rates forget as lib/flow.lua does: a sum to which one a second is added comes to this. */
const SUM_OF_ONE_A_SECOND = 1 / (1 - Math.exp(-1 / 30));

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
    finishedPerSecond: finished / SUM_OF_ONE_A_SECOND,
    failedPerSecond: Number(text(reply[16])) / SUM_OF_ONE_A_SECOND,
    lastFailure: failureOf(utf8(reply[17])),
    meanRunMs: meanOf({ finished, runMs, heldMs, claimed }),
    slotsPerBusyThread: heldMs > 0 && busyMs > 0 ? heldMs / busyMs : null,
    isPaused: paused === 1,
    limits: limitsOf(text(reply[13])),
    ...workersOf(reply[14] as Reply[], (reply[15] as Reply[]).map(Number)),
  };
}

/** `<ms> <JSON>`; what cannot be read is none. */
function failureOf(stored: string): LastFailure | undefined {
  const cut = stored.indexOf(" ");
  try {
    return { ...(JSON.parse(stored.slice(cut + 1)) as Omit<LastFailure, "atMs">), atMs: Number(stored.slice(0, cut)) };
  } catch {
    return undefined;
  }
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

/** `list`: `wid`, `<client id> <pod> <JSON>`, … Facts that cannot be read are left out. */
function workersOf(list: readonly Reply[], claimed: readonly number[]): Pick<QueueFigures, "workers" | "claimers"> {
  const infos = list.filter((_, index) => index % 2 === 1).map((info) => decodeInfo(utf8(info)));
  const claimers = infos.map(({ pod, facts }, index): Claimer => ({ pod, claimed: claimed[index] ?? 0, facts }));
  return { claimers, workers: claimers.flatMap(({ facts }) => facts ?? []) };
}
