// What a thread answered, as the broker is told it.

import type { Claim, Settlement } from "../broker/claims.ts";
import type { Effect } from "../broker/effects.ts";
import type { Settled } from "./protocol.ts";

/** `kind` is none of those that are never written. */
export function settlementOf(claim: Claim, settled: Settled, kind: Settlement["kind"]): Settlement {
  return { ...settled, kind, claim, effects: settled.effects.map(withBuffers) };
}

/** Structured clone turns Buffers into plain Uint8Arrays. */
function withBuffers(effect: Effect): Effect {
  if (effect.kind === "child" && typeof effect.delivery.envelope !== "string")
    return { ...effect, delivery: { ...effect.delivery, envelope: buffer(effect.delivery.envelope) } };
  if (effect.kind === "publish" && typeof effect.payload !== "string")
    return { ...effect, payload: buffer(effect.payload) };
  return effect;
}

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
