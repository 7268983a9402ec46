// What the broker's model is made of: workers as they see themselves, and what is drawn at random.

import type { Claim, Claims, SettleKind, Settlement } from "../../services/broker/claims.ts";
import { encodeEnvelope } from "../../services/broker/delivery.ts";
import type { Paused } from "../../services/broker/pauses.ts";
import type { NewDelivery } from "../../services/broker/producer.ts";
import { hasCode } from "../../services/runtime/errors.ts";

export const KEYS = ["a", "b\0\n:", "ключ"];
export const QUEUE = "default";
export const EFFECTS_QUEUE = "effects";
export const LIMITS = { deliveries: 1e6, bytes: 1e9 };
export const KINDS: readonly SettleKind[] = [
  "done",
  "done",
  "done",
  "done",
  "block",
  "skip",
  "wait",
  "park",
  "crash",
  "dead",
];

/** What can be paused; the key is the first one. */
export const PAUSES: readonly Paused[] = [
  { kind: "queue" },
  { kind: "route", route: 1 },
  { kind: "key", key: KEYS[0] ?? "" },
];

export interface ModelCounts {
  steps: number;
  enqueued: number;
  settled: number;
  zombieSettles: number;
}

export interface Worker {
  readonly claims: Claims;
  /** What it believes to hold, runs in order. */
  runs: Claim[][];
  /** Every settle it ever sent, for replays. */
  readonly sent: Settlement[][];
  /** Every claim it ever had. */
  readonly past: Claim[];
  gone: boolean;
}

export function runsOf(held: readonly Claim[]): Claim[][] {
  const runs: Claim[][] = [];
  for (const claim of held) {
    const last = runs.at(-1);
    if (claim.key !== "" && last?.[0]?.key === claim.key) last.push(claim);
    else runs.push([claim]);
  }
  return runs;
}

export async function unlessFenced<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (hasCode(error, "FENCED")) return undefined;
    throw error;
  }
}

/** `other`: the id of a delivery that has not ended, if there is one. */
export function drawDelivery(random: () => number, other: () => string | undefined): NewDelivery {
  const key = random() < 0.7 ? KEYS[Math.floor(random() * KEYS.length)] : undefined;
  const keyed = key === undefined ? {} : { key };
  const after = random() < 0.1 ? [other(), other()].filter((id) => id !== undefined) : [];
  return {
    route: 1,
    class: ([0, 1, 1, 2, 3] as const)[Math.floor(random() * 5)] ?? 1,
    envelope: encodeEnvelope(
      { v: 1, kind: "job", route: "model.route", ...keyed },
      "x".repeat(random() < 0.1 ? 3000 : 10),
    ),
    ...keyed,
    ...(random() < 0.15 ? { delayMs: 500 + Math.floor(random() * 3000) } : {}),
    ...(random() < 0.2 ? { uid: { id: `u${Math.floor(random() * 5)}`, ttlMs: 3_600_000 } } : {}),
    ...(after.length > 0 ? { after } : {}),
  };
}
