// Schedules: each slot becomes one delivery, whoever fires it and however often it is asked.

import { publicId } from "../runtime/ids.ts";
import { loadScript, text } from "../redis/scripts.ts";
import { type BrokerContext, callBroker, translate } from "./connection.ts";
import { deliveryArguments, type NewDelivery } from "./producer.ts";

const FIRE = loadScript(new URL("./lua/fire.lua", import.meta.url));
/** Longer than any slot may be asked for again. */
const SLOT_UID_MS = 7 * 86_400_000;

export interface Schedule {
  /** The route's id. */
  readonly id: string;
  /** Cron text and zone, or period; when it changes, the next slot is computed anew. */
  readonly definition: string;
  /** The slot to start with, ms since 1970. */
  readonly nextMs: number;
}

/** Makes the queue's schedules those given: new ones are added, changed ones start anew, the others go. */
export async function syncSchedules(
  context: BrokerContext,
  queue: string,
  schedules: readonly Schedule[],
): Promise<void> {
  const prefix = context.keys.queue(queue);
  try {
    const known = await context.client.hgetall(`${prefix}:sd`);
    const multi = context.client.multi();
    for (const { id, definition, nextMs } of schedules) {
      if (known[id] === definition) multi.zadd(`${prefix}:s`, "NX", nextMs, id);
      else multi.zadd(`${prefix}:s`, nextMs, id).hset(`${prefix}:sd`, id, definition);
    }
    const ids = new Set(schedules.map((schedule) => schedule.id));
    const gone = Object.keys(known).filter((id) => !ids.has(id));
    if (gone.length > 0) multi.zrem(`${prefix}:s`, ...gone).hdel(`${prefix}:sd`, ...gone);
    await multi.exec();
  } catch (error) {
    throw translate(error);
  }
}

export interface DueSlot {
  readonly id: string;
  /** The earliest slot that was not fired, ms since 1970. */
  readonly slotMs: number;
}

/** At most `limit` schedules in order of their next slot, due or not. */
export async function nextSlots(context: BrokerContext, queue: string, limit: number): Promise<DueSlot[]> {
  try {
    const pairs = await context.client.zrange(`${context.keys.queue(queue)}:s`, "0", String(limit - 1), "WITHSCORES");
    const slots: DueSlot[] = [];
    for (let at = 0; at + 1 < pairs.length; at += 2)
      slots.push({ id: pairs[at] as string, slotMs: Number(pairs[at + 1]) });
    return slots;
  } catch (error) {
    throw translate(error);
  }
}

export interface FireCall {
  readonly queue: string;
  readonly slot: DueSlot;
  readonly nextMs: number;
  readonly delivery: NewDelivery;
}

/** Answers the delivery's public id; null when the slot was fired before or is not due by the server's clock. */
export async function fire(context: BrokerContext, call: FireCall): Promise<string | null> {
  const { id, slotMs } = call.slot;
  const delivery: NewDelivery = { ...call.delivery, uid: { id: `cron:${id}:${slotMs}`, ttlMs: SLOT_UID_MS } };
  const reply = await callBroker(context, {
    script: FIRE,
    keys: [context.keys.queue(call.queue)],
    args: [id, slotMs, call.nextMs, ...deliveryArguments(delivery, delivery.envelope)],
  });
  return reply === null ? null : publicId(text(reply));
}
