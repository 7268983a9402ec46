// One claimer's side of one queue: take, settle, beat, release. Arguments and replies only; the rules are in the scripts.

import { type Argument, loadScript, type Reply, text } from "../redis/scripts.ts";
import { type BrokerContext, callBroker } from "./connection.ts";
import type { Element } from "./delivery.ts";
import type { Effect } from "./effects.ts";
import type { Carrier } from "../telemetry/carrier.ts";
import type { Serves } from "./served.ts";
import { encodeSettlements } from "./settling.ts";
import { claimText, decodeHeld, decodeTaken, dueOf } from "./taken.ts";

const SCRIPTS = {
  register: loadScript(new URL("./lua/register.lua", import.meta.url)),
  take: loadScript(new URL("./lua/take.lua", import.meta.url)),
  settle: loadScript(new URL("./lua/settle.lua", import.meta.url)),
  "settle-plain": loadScript(new URL("./lua/settle-plain.lua", import.meta.url)),
  beat: loadScript(new URL("./lua/beat.lua", import.meta.url)),
  held: loadScript(new URL("./lua/held.lua", import.meta.url)),
  release: loadScript(new URL("./lua/release.lua", import.meta.url)),
  leave: loadScript(new URL("./lua/leave.lua", import.meta.url)),
} as const;

/** What proves the right to a delivery. Plain data: it crosses threads. */
export interface ClaimRef {
  /** Decimal. */
  readonly id: string;
  readonly fence: string;
  readonly elementText: string;
  /** Ordering key; "" when there is none. */
  readonly key: string;
  /** Of a body kept apart; "" when it came with the claim. */
  readonly bodyToken: string;
}

export interface Claim extends ClaimRef {
  readonly element: Element;
  /** The envelope; null when it is kept apart (`bodyToken`) or the delivery was deleted. */
  readonly body: Buffer | null;
}

/** Work for one slot: one unkeyed delivery, or the first deliveries of one key, to be run one after another. */
export type Run = readonly Claim[];

export interface TakeOptions {
  /** Free slots; 0 = no take. */
  readonly slots: number;
  /** Most deliveries of one key per turn, at most 16. */
  readonly run: number;
  /** The order in which priority classes are looked at, e.g. "0123". */
  readonly order: string;
}

export interface Taken {
  readonly runs: readonly Run[];
  /** When the next delayed delivery is due, ms since 1970 by the server's clock. */
  readonly nextDueMs: number | null;
  /** When this was answered, likewise. */
  readonly atMs: number;
}

/**
 * How a run ended. `done`: finished (also discarded). `moved`: finished, and the last effect is a child that keeps the
 * origin. `gone`: there was nothing to run, for it was cancelled or goes on under another number; or its body, kept apart,
 * is lost, and then it has ended as if cancelled. `block`: again after `delayMs`, its key waits. `skip`: again after
 * `delayMs`, its key goes on. `wait`: as skip, and no attempt is counted. `park`: as block, and no attempt is counted.
 * `crash`: as block, a crash is counted. `dead`: to the dead letters.
 */
export type SettleKind = "done" | "moved" | "gone" | "block" | "skip" | "wait" | "park" | "crash" | "dead";

export interface Settlement {
  readonly claim: ClaimRef;
  readonly kind: SettleKind;
  readonly delayMs?: number;
  /** Why it failed, at most 2 KiB are kept. */
  readonly error?: string;
  /** Public id. */
  readonly origin: string;
  readonly effects: readonly Effect[];
  /** One line of the queue's history; "" for none. */
  readonly history: string;
  /** Of its run, where that is traced. */
  readonly trace?: Carrier;
}

export interface Settled {
  /** Per settlement: false when the delivery was no longer this claimer's, and nothing of it was written. */
  readonly settled: readonly boolean[];
  readonly taken?: Taken;
}

/** What an operator told the pod to do: take nothing more until told otherwise, or stop as on SIGTERM. */
export type Order = "quiet" | "stop" | "";

export interface Beat {
  /** Deliveries that are this claimer's by Redis' account. */
  readonly held: number;
  readonly nextDueMs: number | null;
  readonly order: Order;
  /** There is work that may be taken: for a claimer whose bell was not heard. */
  readonly hasWork: boolean;
  /** Found in a line of the queue, and put by because it could not be read: see `antiphon doctor`. */
  readonly unreadable: number;
}

/** Of one queue, since this claimer's last beat. */
export interface Ran {
  /** Deliveries that came to an outcome. */
  readonly finished: number;
  /** How long those had held their slots. */
  readonly runMs: number;
  /** How long slots were taken, by these and by others that go on. */
  readonly heldMs: number;
  /** How long threads were busy for that. */
  readonly busyMs: number;
  /** Runs that failed, also those that are made again. */
  readonly failed?: number;
  /** The last one of them. */
  readonly failure?: { readonly id: string; readonly route: number; readonly message: string } | undefined;
}

const NOTHING_RAN: Ran = { finished: 0, runMs: 0, heldMs: 0, busyMs: 0 };
const HISTORY_LENGTH = 1000;
const HISTORY_AGE_MS = 86_400_000;

export interface ClaimsOptions extends BrokerContext {
  readonly queue: string;
  /** Claimer id, new at every start and after every fencing. */
  readonly wid: string;
  /** Entries kept of finished deliveries; 0 = none. */
  readonly historyLength?: number;
  /** How long they are kept. */
  readonly historyAgeMs?: number;
}

/** What others may know of a worker. */
export interface WorkerFacts {
  /** Random: of one process, whatever it serves. */
  readonly process: string;
  /** By the server's clock, ms since 1970. */
  readonly startedAtMs: number;
  readonly threads: number;
  /** Deliveries that it runs at once. */
  readonly slots: number;
  /** Absent, as all below: an earlier release did not say so. */
  readonly pool?: string;
  /** What it was told to serve. */
  readonly serves?: Serves;
  /** The newest version of the envelope that it reads. */
  readonly envelope?: number;
  /** Threads and slots of Messages, and of everything else. */
  readonly shares?: Readonly<Partial<Record<"chat" | "work", Share>>>;
}

export interface Share {
  readonly threads: number;
  readonly slots: number;
}

export interface Registration {
  /** CLIENT ID of the connection whose close means that the worker is dead; "" where there is no such connection. */
  readonly clientId: string;
  readonly pod: string;
  readonly facts?: WorkerFacts;
}

export class Claims {
  readonly queue: string;
  readonly wid: string;
  /** Channel of sharded pub/sub that rings when there is work for an idle claimer. */
  readonly bell: string;
  readonly #options: ClaimsOptions;
  readonly #prefix: string;

  constructor(options: ClaimsOptions) {
    this.#options = options;
    this.queue = options.queue;
    this.wid = options.wid;
    this.#prefix = options.keys.queue(options.queue);
    this.bell = options.keys.bell(this.#prefix, options.wid);
  }

  /** Joins the queue, or tells the new client id after a reconnect. Answers false when this wid is fenced. */
  async register({ clientId, pod, facts }: Registration): Promise<boolean> {
    const info = facts === undefined ? `${clientId} ${pod}` : `${clientId} ${pod} ${JSON.stringify(facts)}`;
    return (await this.#call("register", [this.wid, info])) === 1;
  }

  async take(options: TakeOptions): Promise<Taken> {
    return decodeTaken((await this.#call("take", [this.wid, this.bell, ...takeArguments(options)])) as Reply[]);
  }

  /** Settles and takes in one round trip. Throws FENCED, and then nothing was written. */
  async settle(settlements: readonly Settlement[], take: TakeOptions = NO_TAKE): Promise<Settled> {
    const { historyLength = HISTORY_LENGTH } = this.#options;
    const { args, isPlain, decode } = encodeSettlements(this.#options, settlements);
    const head = [this.wid, this.bell, ...takeArguments(take), historyLength];
    const told = decode((await this.#call(isPlain ? "settle-plain" : "settle", [...head, ...args])) as Reply[]);
    if (!isPlain) this.#options.sending?.along(settlements, told.settled);
    return told;
  }

  /** Renews every claim; due once a second. Throws FENCED. */
  async beat(ran = NOTHING_RAN): Promise<Beat> {
    const { historyAgeMs = HISTORY_AGE_MS } = this.#options;
    const times = [ran.runMs, ran.heldMs, ran.busyMs].map((ms) => ms.toFixed(2));
    const failure = ran.failure === undefined ? "" : JSON.stringify(ran.failure);
    const args = [this.wid, historyAgeMs, ran.finished, ...times, ran.failed ?? 0, failure];
    const [held, nextDue, order, ready, bad] = (await this.#call("beat", args)) as Reply[];
    return {
      held: Number(held),
      nextDueMs: dueOf(nextDue),
      order: text(order) as Order,
      hasWork: Number(ready) > 0,
      unreadable: Number(bad),
    };
  }

  /** Everything Redis says this claimer holds, runs in order. */
  async held(): Promise<Claim[]> {
    return decodeHeld((await this.#call("held", [this.wid])) as Reply[]);
  }

  /** Hands back what has not begun, uncounted. */
  async release(claims: readonly ClaimRef[]): Promise<number> {
    if (claims.length === 0) return 0;
    return Number(await this.#call("release", [this.wid, claims.length, ...claims.flatMap(releaseArguments)]));
  }

  /** Stops bells. */
  async leaveIdle(): Promise<void> {
    await this.#options.client.srem(`${this.#prefix}:i`, this.bell);
  }

  /** Hands back what is still held and unregisters. */
  async bye(claims: readonly ClaimRef[]): Promise<number> {
    return Number(await this.#call("leave", [this.wid, this.bell, claims.length, ...claims.flatMap(releaseArguments)]));
  }

  #call(name: keyof typeof SCRIPTS, args: readonly Argument[]): Promise<Reply> {
    return callBroker(this.#options, { script: SCRIPTS[name], keys: [this.#prefix], args });
  }
}

export const NO_TAKE: TakeOptions = { slots: 0, run: 1, order: "0123" };

export function takeArguments(take: TakeOptions): Argument[] {
  return [take.slots, take.run, take.order];
}

function releaseArguments(claim: ClaimRef): Argument[] {
  return [claim.id, claimText(claim), claim.elementText, claim.key];
}
