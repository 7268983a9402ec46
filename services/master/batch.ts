// Which of the events that wait go to Redis together, in one script, and what becomes of each: a Delivery, or nothing.
//
// One script for each event would make a backlog wait for as many round trips.

import { encodeEnvelope } from "../broker/delivery.ts";
import type { NewDelivery } from "../broker/producer.ts";
import type { ChatMessage, Inbound, ResumeState } from "../sdk/adapter.ts";
import type { Message, Room } from "../sdk/message.ts";
import { carried } from "../telemetry/carrier.ts";
import { startSend } from "../telemetry/queue-spans.ts";
import type { Span, Tracing } from "../telemetry/tracing.ts";

export interface Batch {
  readonly inbounds: readonly Inbound[];
  /** What is stored of them, in the same order. */
  readonly deliveries: readonly NewDelivery[];
  /** For each event the place of its Delivery; undefined where there is nothing for a handler in it. */
  readonly places: readonly (number | undefined)[];
  /** Behind the last of them. */
  readonly resume: ResumeState | undefined;
  /** Of each Delivery, where traces are made; to be ended when they are stored. */
  readonly spans: readonly Span[];
}

export interface BatchOptions {
  readonly unit: string;
  /** Whose messages stay in order: a person's in a room, or a room's. */
  readonly order: "user" | "room";
  readonly tracing?: Tracing | undefined;
}

/** Deliveries of one script, and the bytes of their bodies: so that no script keeps Redis busy for long. */
export const EVENTS_MAX = 100;
const BYTES_MAX = 256 * 1024;
const DEDUPE_MS = 3_600_000;

/** The first of them, with at most so many Deliveries; at least one event. */
export function batchOf(waiting: readonly Inbound[], most: number, options: BatchOptions): Batch {
  const deliveries: NewDelivery[] = [];
  const places: (number | undefined)[] = [];
  const spans: Span[] = [];
  let [bytes, resume]: [number, ResumeState | undefined] = [0, undefined];
  for (const inbound of waiting) {
    const span = isWanted(inbound) ? options.tracing && startSend(options.tracing, "chat", ABOUT) : undefined;
    const delivery = deliveryOf(inbound, options, span);
    bytes += delivery === undefined ? 0 : Buffer.byteLength(delivery.envelope);
    const isFull = deliveries.length >= most || bytes > BYTES_MAX;
    if (delivery && deliveries.length > 0 && isFull) break;
    places.push(delivery && deliveries.length);
    if (delivery) deliveries.push(delivery);
    if (span) spans.push(span);
    resume = inbound.resume ?? resume;
  }
  return { inbounds: waiting.slice(0, places.length), deliveries, places, resume, spans };
}

/** Each line begins a trace of its own, also those of a backlog that are stored together. */
const ABOUT = { kind: "message", parent: null } as const;

function isWanted({ event }: Inbound): boolean {
  return event.type === "message" && !event.message.user.isSelf;
}

function deliveryOf(
  { event, dedupe }: Inbound,
  { unit, order }: BatchOptions,
  span: Span | undefined,
): NewDelivery | undefined {
  if (event.type !== "message" || event.message.user.isSelf) return undefined;
  const message = messageOf(event.message, unit);
  const key = order === "room" ? message.room : `${message.room}\n${message.user.id}`;
  const header = { v: 1, kind: "message", by: message.user.id, key, ...carried(span) } as const;
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
