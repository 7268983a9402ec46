// Schedules as the leader of `control` works with them: each slot becomes one delivery, whoever fires it and however often
// it is asked. What operators change is in schedules.ts; whoever has not read the newest edit fires nothing.

import { publicId } from "../runtime/ids.ts";
import { type Argument, loadScript, type Reply, text, utf8 } from "../redis/scripts.ts";
import { type BrokerContext, callBroker } from "./connection.ts";
import { deliveryArguments, type NewDelivery } from "./producer.ts";
import { sendWith } from "./sending.ts";

const LOOK = loadScript(new URL("./lua/cron-look.lua", import.meta.url));
const SYNC = loadScript(new URL("./lua/cron-sync.lua", import.meta.url));
const FIRE = loadScript(new URL("./lua/fire.lua", import.meta.url));

/** Under its prefix all schedules are kept, whatever queue they fire into. */
const HOME = "default";

export function schedulesPrefix(context: BrokerContext): string {
  return context.keys.queue(HOME);
}

export interface Schedule {
  /** The route's id, or the name that an operator gave. */
  readonly id: string;
  /** Cron text and zone, or period; when it changes, the next slot is computed anew. */
  readonly definition: string;
  /** What people are shown of it. */
  readonly description: object;
  /** The slot to start with, ms since 1970; undefined: it does not fire. */
  readonly nextMs: number | undefined;
}

/** Makes the schedules those given. Answers false, and does nothing, when somebody has edited them since `version`. */
export async function syncSchedules(
  context: BrokerContext,
  version: string,
  schedules: readonly Schedule[],
): Promise<boolean> {
  const args: Argument[] = [version];
  for (const { id, definition, description, nextMs = "" } of schedules)
    args.push(id, definition, JSON.stringify(description), nextMs);
  return Number(await callBroker(context, { script: SYNC, keys: [schedulesPrefix(context)], args })) === 1;
}

export interface DueSlot {
  readonly id: string;
  /** The earliest slot that was not fired, ms since 1970. */
  readonly slotMs: number;
}

export interface Look {
  /** The server's clock: whether a slot is due is decided by no other. */
  readonly nowMs: number;
  /** Of the edits. */
  readonly version: string;
  /** In order, due or not. */
  readonly slots: readonly DueSlot[];
}

/** At most `limit` schedules in order of their next slot. */
export async function lookAtSchedules(context: BrokerContext, limit: number): Promise<Look> {
  const call = { script: LOOK, keys: [schedulesPrefix(context)], args: [limit] };
  const [now, version, ...pairs] = (await callBroker(context, call)) as Reply[];
  const slots: DueSlot[] = [];
  for (let at = 0; at + 1 < pairs.length; at += 2)
    slots.push({ id: utf8(pairs[at]), slotMs: Number(text(pairs[at + 1])) });
  return { nowMs: Number(text(now)), version: text(version), slots };
}

export interface FireCall {
  readonly version: string;
  readonly slot: DueSlot;
  readonly nextMs: number | undefined;
  readonly queue: string;
  /** Without one the slot is left out. */
  readonly delivery?: NewDelivery;
}

export interface Fired {
  /** Public id; "" when the slot was left out. */
  readonly id: string;
  /** There is another delivery with its uid: nothing was enqueued. */
  readonly duplicate: boolean;
}

/** Null when the slot was fired before, is not due by the server's clock, or `version` is not the newest. */
export async function fire(context: BrokerContext, call: FireCall): Promise<Fired | null> {
  const { version, slot, nextMs = "", queue, delivery } = call;
  const what = delivery ? [1, ...deliveryArguments(delivery, delivery.envelope)] : [0];
  const args = [version, slot.id, slot.slotMs, nextMs, ...what];
  const keys = [context.keys.queue(queue), schedulesPrefix(context)];
  const send = (): Promise<Reply> => callBroker(context, { script: FIRE, keys, args });
  const sent = new Map(delivery === undefined ? [] : [[queue, 1]]);
  const reply = await sendWith(context, { sent, send });
  if (reply === null) return null;
  const [id, duplicate] = reply as Reply[];
  return id === undefined ? NOT_RUN : { id: publicId(text(id)), duplicate: text(duplicate) === "1" };
}

const NOT_RUN: Fired = { id: "", duplicate: false };
