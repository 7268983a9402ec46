// Where a body goes: small ones into the queue's hash, large ones into a key of their own, past Lua.

import { randomId } from "../runtime/ids.ts";
import type { LargeValue } from "../redis/transaction.ts";
import { type BrokerContext, translate } from "./connection.ts";
import type { Envelope } from "./delivery.ts";

/** Redis hashes every byte of a Lua string: above this size a body is cheaper outside. */
export const INLINE_BYTES_MAX = 2048;
/** The script makes it permanent in the same MULTI; this is how long a body outlives a MULTI whose script failed. */
const ORPHAN_SECONDS = 60;

export interface PlacedBody {
  /** What the script is given: the body, or NUL and the token of a body kept apart. */
  readonly argument: Envelope;
  readonly apart?: LargeValue;
}

/** Tokens must never come twice, in any process; drawing random bits for each body would cost more than the body. */
const tokenPrefix = randomId().slice(8);
let tokens = 0;

/** `queuePrefix` is the prefix of the queue that the delivery goes to. A body may come in pieces. */
export function placeBody(context: BrokerContext, queuePrefix: string, body: Envelope | readonly Buffer[]): PlacedBody {
  if (typeof body === "string" && Buffer.byteLength(body) <= INLINE_BYTES_MAX) return { argument: body };
  const pieces = typeof body === "string" ? [Buffer.from(body)] : Buffer.isBuffer(body) ? [body] : body;
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (bytes <= INLINE_BYTES_MAX) return { argument: Buffer.isBuffer(body) ? body : Buffer.concat(pieces) };
  const token = `${tokenPrefix}${(tokens++).toString(36).padStart(8, "0")}:${bytes}`;
  return {
    argument: Buffer.from(`\0${token}`),
    apart: { key: context.keys.body(queuePrefix, token), pieces, expireSeconds: ORPHAN_SECONDS },
  };
}

/** The token of a body kept apart, "" when the stored text is the body itself. */
export function tokenOf(stored: Buffer): string {
  return stored[0] === 0 ? stored.toString("latin1", 1) : "";
}

/** Reads a body kept apart; null when it is gone because the delivery was settled or deleted. */
export async function readBody(context: BrokerContext, queue: string, token: string): Promise<Buffer | null> {
  try {
    return await context.client.getBuffer(context.keys.body(context.keys.queue(queue), token));
  } catch (error) {
    throw translate(error);
  }
}
