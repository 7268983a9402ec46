// Envelopes of many deliveries at once, for people: of a large body only the beginning is read.

import { tokenOf } from "./bodies.ts";
import type { BrokerContext } from "./connection.ts";
import { decodeEnvelope, type EnvelopeHeader } from "./delivery.ts";

export interface ReadEnvelope {
  /** Undefined when the envelope cannot be read. */
  readonly header: EnvelopeHeader | undefined;
  readonly payload: Buffer;
}

const BYTES_MAX = 64 * 1024;

/** By the ids (decimal); undefined where there is no body, because the delivery was settled or deleted. */
export async function readEnvelopes(
  context: BrokerContext,
  queue: string,
  ids: readonly string[],
): Promise<(ReadEnvelope | undefined)[]> {
  if (ids.length === 0) return [];
  const prefix = context.keys.queue(queue);
  const stored = await context.client.hmgetBuffer(`${prefix}:j`, ...ids);
  return Promise.all(
    stored.map(async (value) => {
      if (value === null) return undefined;
      const token = tokenOf(value);
      if (token === "") return decoded(value);
      return decoded(await context.client.getrangeBuffer(context.keys.body(prefix, token), 0, BYTES_MAX - 1));
    }),
  );
}

function decoded(bytes: Buffer): ReadEnvelope {
  try {
    return decodeEnvelope(bytes);
  } catch {
    return { header: undefined, payload: bytes }; // an Action, or none of ours
  }
}
