// Which of the events that wait go to Redis together, in one script, and what becomes of each: a Delivery, or nothing.
//
// One script for each event would make a backlog wait for as many round trips.

import { encodeEnvelope } from "../broker/delivery.ts";
import type { NewDelivery } from "../broker/producer.ts";
import type { ChatMessage, Inbound, ResumeState } from "../sdk/adapter.ts";
import type { Message, Room } from "../sdk/message.ts";

export interface Batch {
  readonly inbounds: readonly Inbound[];
  /** What is stored of them, in the same order. */
  readonly deliveries: readonly NewDelivery[];
  /** For each event the place of its Delivery; undefined where there is nothing for a handler in it. */
  readonly places: readonly (number | undefined)[];
  /** Behind the last of them. */
  readonly resume: ResumeState | undefined;
}

export interface BatchOptions {
  readonly unit: string;
  /** Whose messages stay in order: a person's in a room, or a room's. */
  readonly order: "user" | "room";
}

/** Deliveries of one script, and the bytes of their bodies: so that no script keeps Redis busy for long. */
export const EVENTS_MAX = 100;
const BYTES_MAX = 256 * 1024;
const DEDUPE_MS = 3_600_000;

/** The first of them, with at most so many Deliveries; at least one event. */
export function batchOf(waiting: readonly Inbound[], most: number, options: BatchOptions): Batch {
  const deliveries: NewDelivery[] = [];
  const places: (number | undefined)[] = [];
  let [bytes, resume]: [number, ResumeState | undefined] = [0, undefined];
  for (const inbound of waiting) {
    const delivery = deliveryOf(inbound, options);
    bytes += delivery === undefined ? 0 : Buffer.byteLength(delivery.envelope);
    const isFull = deliveries.length >= most || bytes > BYTES_MAX;
    if (delivery && deliveries.length > 0 && isFull) break;
    places.push(delivery && deliveries.length);
    if (delivery) deliveries.push(delivery);
    resume = inbound.resume ?? resume;
  }
  return { inbounds: waiting.slice(0, places.length), deliveries, places, resume };
}

function deliveryOf({ event, dedupe }: Inbound, { unit, order }: BatchOptions): NewDelivery | undefined {
  if (event.type !== "message" || event.message.user.isSelf) return undefined;
  const message = messageOf(event.message, unit);
  const key = order === "room" ? message.room : `${message.room}\n${message.user.id}`;
  const header = { v: 1, kind: "message", by: message.user.id, key } as const;
  const [first = event.id] = dedupe;
  return {
    route: 0,
    envelope: encodeEnvelope(header, JSON.stringify(message)),
    key,
    uid: { id: `${unit} ${first}`, ttlMs: DEDUPE_MS },
    durability: "default",
  };
}

/** Ids carry the unit, because two networks may each have an `ann`. */
function messageOf(said: ChatMessage, unit: string): Message {
  return {
    id: said.id,
    text: said.text,
    room: `${unit}:${said.room.id}` as Room,
    ...(said.thread === undefined ? {} : { thread: said.thread }),
    user: { id: `${unit}:${said.user.id}`, name: said.user.name ?? said.user.id },
    addressed: said.mentionsBot || said.room.kind === "dm",
  };
}
