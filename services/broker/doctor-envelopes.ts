// What a stored body tells of its delivery: which line it belongs to, and the origin that its sender was told.

import { publicId } from "../runtime/ids.ts";
import { readBody, tokenOf } from "./bodies.ts";
import type { BrokerContext } from "./connection.ts";
import { DEFAULT_CLASS, decodeEnvelope, encodeEnvelope, UNMATCHED } from "./delivery.ts";
import type { NewDelivery } from "./producer.ts";

export interface Rebuilt {
  /** "" = it is known by its number only: an Action. */
  readonly origin: string;
  readonly delivery: NewDelivery;
}

/** An envelope's header is not longer. */
const HEADER_BYTES_MAX = 32_768;
const NEWLINE = 0x0a;

/** The delivery as it may be enqueued anew; undefined when there is no body or it cannot be read. */
export async function rebuilt(context: BrokerContext, queue: string, number: string): Promise<Rebuilt | undefined> {
  const stored = await context.client.hgetBuffer(`${context.keys.queue(queue)}:j`, number);
  const token = stored === null ? "" : tokenOf(stored);
  const body = token === "" ? stored : await readBody(context, queue, token);
  if (body === null) return undefined;
  try {
    if (queue.startsWith("outbox/")) return ofAction(body);
    return await ofEnvelope(context, { number, body });
  } catch {
    return undefined;
  }
}

function ofAction(body: Buffer): Rebuilt {
  const { room } = JSON.parse(body.toString()) as { room: string };
  return { origin: "", delivery: { route: 0, key: room, envelope: body } };
}

async function ofEnvelope(
  context: BrokerContext,
  { number, body }: { number: string; body: Buffer },
): Promise<Rebuilt> {
  const { header, payload } = decodeEnvelope(body);
  const origin = header.origin ?? publicId(number);
  const route = header.route ?? (header.only?.length === 1 ? header.only[0] : undefined);
  const delivery = {
    route: route ? Number((await context.client.hget(context.keys.routes(), route)) ?? 0) : UNMATCHED,
    class: header.class ?? DEFAULT_CLASS,
    envelope: encodeEnvelope({ ...header, origin }, payload),
    ...(header.key !== undefined && { key: header.key }),
  };
  return { origin, delivery };
}

/** The origin that a body names; undefined: it is the delivery's own, or the body cannot be read. `stored`: as in j. */
export async function namedOrigin(context: BrokerContext, queue: string, stored: Buffer): Promise<string | undefined> {
  if (queue.startsWith("outbox/")) return undefined; // an Action has no envelope
  const token = tokenOf(stored);
  const bytes = token === "" ? stored : await beginningOf(context, context.keys.body(context.keys.queue(queue), token));
  const at = bytes.indexOf('"origin":"');
  if (at < 0 || bytes.indexOf(NEWLINE) < at) return undefined;
  try {
    return decodeEnvelope(bytes).header.origin;
  } catch {
    return undefined;
  }
}

/** A large body as far as its header goes. */
async function beginningOf({ client }: BrokerContext, key: string): Promise<Buffer> {
  const beginning = await client.getrangeBuffer(key, 0, 1023);
  return beginning.includes(NEWLINE) ? beginning : client.getrangeBuffer(key, 0, HEADER_BYTES_MAX);
}
