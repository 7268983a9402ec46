// Who wants to hear what, and from which position on. Several subscriptions of one channel share one position in the
// request, so each keeps a mark of its own: none hears anything twice, or misses what another one has heard already.

import type { Positions, WireMessage } from "./wire.ts";

export type Callback = (data: never, globalId: number, messageId: number) => unknown;

export interface Subscription {
  readonly channel: string;
  readonly func: Callback;
  /** What was heard last; negative until the server said where the channel stands. */
  last_id: number;
  /** A request with this position was answered. */
  answered?: boolean;
  /** Names it among tabs. */
  readonly key?: number;
  /** Told when the position moves without a message. */
  readonly moved?: (lastId: number) => void;
}

/** One request for some subscriptions. */
export interface Demand {
  readonly positions: Positions;
  readonly of: ReadonlySet<Subscription>;
  /** Only tells newcomers where their channels stand; to be answered at once, and followed by another. */
  readonly isShort: boolean;
}

/**
 * A channel has one position in a request: the lowest of those that are known. "The newest three" and "all after 17" do
 * not fit together, so who still has to learn where it stands asks alone first.
 */
export function demand(all: readonly Subscription[]): Demand {
  const newcomers = conflicts(all);
  const isShort = newcomers.length > 0;
  const positions: Positions = {};
  const of = new Set<Subscription>();
  for (const one of isShort ? newcomers : all) {
    const at = positions[one.channel];
    const fits = at === undefined || at === one.last_id || !isShort;
    if (!fits) continue;
    of.add(one);
    positions[one.channel] = at === undefined ? one.last_id : lower(at, one.last_id);
  }
  return { positions, of, isShort };
}

function lower(a: number, b: number): number {
  return a >= 0 === b >= 0 ? Math.min(a, b) : Math.max(a, b);
}

function conflicts(all: readonly Subscription[]): Subscription[] {
  const alone = (one: Subscription): boolean =>
    all.every((other) => other.channel !== one.channel || other.last_id === one.last_id);
  return all.filter((one) => one.last_id < 0 && !one.answered && !alone(one));
}

export interface Arrived {
  readonly messages: readonly WireMessage[];
  readonly hand: (one: Subscription, message: WireMessage) => void;
}

/** Hands the messages of one array to whom they are for. @returns what is about the bus itself */
export function deliver(all: readonly Subscription[], { of }: Pick<Demand, "of">, arrived: Arrived): WireMessage[] {
  const notes: WireMessage[] = [];
  for (const message of arrived.messages) {
    const { channel, global_id, message_id } = message;
    if (channel === "/__status") move(of, message.data as Positions);
    else if (global_id === -1 && channel.startsWith("/__")) notes.push(message);
    else {
      const wants = (one: Subscription): boolean =>
        one.channel === channel && (one.last_id < 0 ? of.has(one) || one.answered === true : message_id > one.last_id);
      for (const one of all.filter(wants)) {
        one.last_id = message_id;
        arrived.hand(one, message);
      }
    }
  }
  for (const one of of) one.answered = true;
  return notes;
}

function move(of: Demand["of"], heads: Positions): void {
  for (const one of of) {
    const head = heads[one.channel];
    if (head === undefined) continue;
    one.last_id = head;
    one.moved?.(head);
  }
}
