// The way into a queue: joins the enqueues of one tick into one script call, and repeats it safely after a lost reply.

import { backoffMs } from "../runtime/backoff.ts";
import { type Clock, type Random, systemClock } from "../runtime/clock.ts";
import { AntiphonError, hasCode } from "../runtime/errors.ts";
import { publicId, randomId } from "../runtime/ids.ts";
import type { Durability } from "../redis/durable.ts";
import { type Argument, loadScript, type Reply, runScriptWith, text } from "../redis/scripts.ts";
import type { LargeValue } from "../redis/transaction.ts";
import { placeBody } from "./bodies.ts";
import { type BrokerContext, proven, translate, withOffset } from "./connection.ts";
import { DEFAULT_CLASS, type Envelope, type PriorityClass } from "./delivery.ts";
import { sendWith } from "./sending.ts";

const ENQUEUE = loadScript(new URL("./lua/enqueue.lua", import.meta.url));
/** Because of Lua's unpack, and so that no call keeps Redis busy. */
const BATCH_MAX = 500;
/** The server remembers this many batches of a producer. */
const BATCHES_UNANSWERED_MAX = 64;
const TRIES = 4;
/** Deliveries that wait here for a batch; beyond it the caller hears so at once. */
const WAITING_MAX = 50_000;

export interface NewDelivery {
  readonly route: number;
  readonly envelope: Envelope;
  readonly class?: PriorityClass;
  /** Ordering key; any bytes. */
  readonly key?: string;
  readonly uid?: Uid;
  readonly delayMs?: number;
  /** In place of `delayMs`: ms since 1970, by the server's clock. */
  readonly dueAtMs?: number;
  /** Public ids of at most 5,000 deliveries: it is held until all have ended. A dead letter has not, for it may run again. */
  readonly after?: readonly string[];
  /** What its enqueue waits for. Left out: what the context says. */
  readonly durability?: Durability;
}

/** A second delivery with the same id is the first one: its public id is answered, with `duplicate`. */
export interface Uid {
  readonly id: string;
  /** With `until`, only how long at most it is remembered. */
  readonly ttlMs: number;
  /** Left out: for `ttlMs`. `end`: until the first one is done, dead or cancelled. `start`: until a worker takes it. */
  readonly until?: "start" | "end";
  /** What becomes of the first one if nobody has claimed it: it gets the new body; `debounce`: and the new due time. */
  readonly repeat?: "keep" | "replace" | "debounce";
}

/** A delivery whose envelope is still in the pieces it came in; they are not joined if it is large. */
export interface PiecedDelivery extends Omit<NewDelivery, "envelope"> {
  readonly envelope: Envelope | readonly Buffer[];
  /** Told when Redis has it, where its enqueue waits for more. It stays in memory until then, to be sent again. */
  readonly onStored?: () => void;
}

export interface Enqueued {
  /** Public id: base 36. */
  readonly id: string;
  readonly duplicate: boolean;
}

export interface QueueLimits {
  /** Most deliveries in a queue, waiting or running. */
  readonly deliveries: number;
  /** Most bytes of bodies above the inline limit. */
  readonly bytes: number;
}

/** A delivery as lib/enqueue.lua reads it. */
export function deliveryArguments(delivery: Omit<NewDelivery, "envelope">, body: Envelope): Argument[] {
  const { class: priority = DEFAULT_CLASS, route, key = "", uid, after } = delivery;
  const due = dueText(delivery);
  const args: Argument[] = [""];
  let letters = "";
  const add = (letter: string, argument: string): void => {
    letters += letter;
    args.push(argument);
  };
  if (due !== "") add("d", due);
  if (key !== "") add("k", key);
  if (uid !== undefined) add("u", uidText(uid));
  if (after !== undefined && after.length > 0) add("a", after.join());
  args[0] = `${priority}:${route}${letters}`;
  args.push(body);
  return args;
}

function dueText({ delayMs, dueAtMs }: Pick<NewDelivery, "delayMs" | "dueAtMs">): string {
  if (dueAtMs !== undefined) return String(Math.round(dueAtMs));
  return delayMs ? `+${Math.round(delayMs)}` : "";
}

function uidText({ id, ttlMs, until, repeat = "keep" }: Uid): string {
  const ending = until === undefined ? "t" : until[0];
  return `${Math.ceil(ttlMs)} ${ending}${repeat[0]} ${id}`;
}

interface Pending {
  readonly delivery: PiecedDelivery;
  readonly resolve: (enqueued: Enqueued) => void;
  readonly reject: (error: unknown) => void;
}

interface Waiting {
  readonly queue: string;
  readonly durability: Durability;
  readonly list: Pending[];
}

export interface ProducerOptions extends BrokerContext {
  readonly limits: QueueLimits;
  readonly random: Random;
  readonly clock?: Clock;
}

/** Where all are new, only the first one's id is answered: see lua/enqueue.lua. */
function enqueuedOf(reply: Reply[]): (index: number) => Enqueued {
  const first = Number(text(reply[0]));
  if (reply.length === 1) return (index) => ({ id: publicId(first + index), duplicate: false });
  return (index) => ({ id: publicId(text(reply[2 * index])), duplicate: text(reply[2 * index + 1]) === "1" });
}

export class Producer {
  readonly #options: ProducerOptions;
  readonly #id = randomId();
  /** One for each queue and durability. */
  #waiting: Waiting[] = [];
  #batch = 0;
  #unanswered = 0;
  #waitingCount = 0;
  #scheduled = false;

  constructor(options: ProducerOptions) {
    this.#options = options;
  }

  /**
   * Resolves once the delivery is in Redis, and as durable as was asked for. Throws QUEUE_FULL, REDIS_UNAVAILABLE or
   * DURABILITY_UNMET; then it may be tried again.
   */
  enqueue(queue: string, delivery: PiecedDelivery): Promise<Enqueued> {
    return new Promise((resolve, reject) => this.#add(queue, { delivery, resolve, reject }));
  }

  /** As `enqueue` for each, in the same scripts. One that fails fails all; then those that were stored are stored. */
  enqueueAll(queue: string, deliveries: readonly PiecedDelivery[]): Promise<Enqueued[]> {
    return new Promise((resolve, reject) => {
      const all: Enqueued[] = [];
      let left = deliveries.length;
      if (left === 0) resolve(all);
      for (const [index, delivery] of deliveries.entries()) {
        const one = (enqueued: Enqueued): void => {
          all[index] = enqueued;
          if (--left === 0) resolve(all);
        };
        this.#add(queue, { delivery, resolve: one, reject });
      }
    });
  }

  #add(queue: string, pending: Pending): void {
    if (this.#waitingCount >= WAITING_MAX) return pending.reject(new AntiphonError("QUEUE_FULL", "Too many unsent."));
    this.#waitingCount++;
    const { durability = this.#options.durability ?? "default" } = pending.delivery;
    const waiting = this.#waiting.find((known) => known.queue === queue && known.durability === durability);
    if (waiting === undefined) this.#waiting.push({ queue, durability, list: [pending] });
    else waiting.list.push(pending);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    for (const { queue, durability, list } of this.#waiting) {
      while (list.length > 0 && this.#unanswered < BATCHES_UNANSWERED_MAX) {
        void this.#send({ queue, durability, list: list.splice(0, BATCH_MAX) });
      }
    }
    this.#waiting = this.#waiting.filter(({ list }) => list.length > 0);
  }

  async #send(batch: Waiting): Promise<void> {
    const number = ++this.#batch;
    this.#unanswered++;
    this.#waitingCount -= batch.list.length;
    try {
      const reply = await this.#sendUntilProven(number, batch);
      const enqueued = enqueuedOf(reply);
      for (const [index, pending] of batch.list.entries()) pending.resolve(enqueued(index));
    } catch (error) {
      for (const pending of batch.list) pending.reject(error);
    } finally {
      this.#unanswered--;
      if (this.#waiting.length > 0 && !this.#scheduled) this.#flush();
    }
  }

  /** What a server answered that lost it since is sent once more. */
  async #sendUntilProven(number: number, batch: Waiting): Promise<Reply[]> {
    const reply = await this.#sendUntilAnswered(number, batch);
    if (batch.durability === "default") return reply;
    for (const { delivery } of batch.list) delivery.onStored?.();
    try {
      await proven(this.#options, batch.durability);
      return reply;
    } catch (error) {
      if (!hasCode(error, "DURABILITY_UNMET")) throw error;
      const again = await this.#sendUntilAnswered(number, batch);
      await proven(this.#options, batch.durability);
      return again;
    }
  }

  /** The batch number makes a repeat harmless: the server answers what it answered the first time. */
  async #sendUntilAnswered(number: number, { queue, list: batch }: Waiting): Promise<Reply[]> {
    const { keys, limits, random, clock = systemClock } = this.#options;
    const prefix = keys.queue(queue);
    const apart: LargeValue[] = [];
    const args: Argument[] = [limits.deliveries, limits.bytes, this.#id, number, batch.length];
    for (const { delivery } of batch) {
      const placed = placeBody(this.#options, prefix, delivery.envelope);
      if (placed.apart) apart.push(placed.apart);
      args.push(...deliveryArguments(delivery, placed.argument));
    }
    const call = withOffset(this.#options, { script: ENQUEUE, keys: [prefix], args });
    const send = (): Promise<Reply> => runScriptWith(this.#options.client, apart, call).catch(refuse);
    const sent = new Map([[queue, batch.length]]);
    for (let attempt = 0; ; attempt++) {
      try {
        return (await sendWith(this.#options, { sent, send })) as Reply[];
      } catch (error) {
        if (!hasCode(error, "REDIS_UNAVAILABLE") || attempt + 1 >= TRIES) throw error;
        await clock.sleep(backoffMs(attempt, { firstMs: 50, maxMs: 400 }, random));
      }
    }
  }
}

function refuse(raw: unknown): never {
  throw translate(raw);
}
