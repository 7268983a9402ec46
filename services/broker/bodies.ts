// Where a body goes: small ones into the queue's hash, large ones into a key of their own, past Lua.

import { randomId } from "../runtime/ids.ts";
import type { ExpiringValue } from "../redis/scripts.ts";
import { type BrokerContext, translate } from "./connection.ts";

/** Redis hashes every byte of a Lua string: above this size a body is cheaper outside. */
export const INLINE_BYTES_MAX = 2048;
/** The script makes it permanent in the same MULTI; this is how long a body outlives a MULTI whose script failed. */
const ORPHAN_SECONDS = 60;
const NUL = Buffer.from([0]);

export interface PlacedBody {
  /** What the script is given: the body, or NUL and the token of a body kept apart. */
  readonly argument: Buffer;
  readonly apart?: ExpiringValue;
}

/** `queuePrefix` is the prefix of the queue that the delivery goes to. */
export function placeBody(context: BrokerContext, queuePrefix: string, body: Buffer): PlacedBody {
  if (body.length <= INLINE_BYTES_MAX) return { argument: body };
  const token = `${randomId()}:${body.length}`;
  return {
    argument: Buffer.concat([NUL, Buffer.from(token)]),
    apart: { key: context.keys.body(queuePrefix, token), value: body, expireSeconds: ORPHAN_SECONDS },
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
