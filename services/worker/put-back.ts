// Deliveries that this worker cannot run, though another may: of an unknown route, or in an envelope of a later release.

import { claimedAtMs, ENVELOPE_VERSION, enqueuedAtMs } from "../broker/delivery.ts";
import { backoffMs } from "../runtime/backoff.ts";
import type { Settled } from "./protocol.ts";
import type { Underway } from "./underway.ts";
import { buried } from "./verdict.ts";

const DELAY = { firstMs: 5_000, maxMs: 5_000 };
const UNKNOWN_AGE_MAX_MS = 3_600_000;

/** In a rolling deploy another worker knows the route. */
export function waiting(underway: Underway, unknown: readonly string[]): Promise<Settled> | Settled {
  const { claim } = underway;
  const reason = `ROUTE_UNKNOWN: ${unknown.join(", ")}`;
  if (claimedAtMs(claim.fence) - enqueuedAtMs(claim.id) > UNKNOWN_AGE_MAX_MS) return buried(underway, reason);
  return putBack(underway, "wait", reason);
}

/** Whether a later release wrote it. Each of them says its version in the first line. */
export function isOfLaterRelease(header: { readonly v: number }): boolean {
  return typeof header.v === "number" && header.v > ENVELOPE_VERSION;
}

/** However long it takes until a worker comes that can read it. Its key waits with it, so that its order stays. */
export function unread(underway: Underway, version: number): Settled {
  const { claim, parts, origin } = underway;
  parts.emit("envelope.unread", { queue: underway.place.queue, id: origin, version });
  return putBack(underway, claim.key === "" ? "wait" : "park", `an envelope of version ${version}`);
}

function putBack({ claim, parts, origin }: Underway, kind: "wait" | "park", error: string): Settled {
  const delayMs = backoffMs(0, DELAY, parts.random);
  return { serial: claim.serial, kind, delayMs, error, origin, effects: [], history: "" };
}
