// Who leads which unit at this moment, and how it came to that, for people. Nothing may be decided by it: it is old when it
// arrives.

import type { RedisClient } from "../redis/connect.ts";
import type { Keys } from "../redis/keys.ts";
import type { Peer } from "./share.ts";

export interface Seat {
  readonly unit: string;
  /** The process that holds the Lease; undefined when nobody does. */
  readonly leader: string | undefined;
  /** What is deployed there; undefined when it has not been heard of lately. */
  readonly revision: string | undefined;
  /** The last epoch that was handed out; undefined when nobody ever led. */
  readonly epoch: string | undefined;
  /** How long the leader has led. */
  readonly ageMs: number | undefined;
  /** When the Lease runs out unless it is renewed. */
  readonly remainingMs: number | undefined;
  /** Of this leader. */
  readonly renewals: number;
  /** How long nobody led before this leader: from the release, or from the last renewal. */
  readonly vacantMs: number | undefined;
  /** How often one master handed over to another, and how often a Lease ran out instead. */
  readonly handovers: number;
  readonly expiries: number;
  /** Writes of former leaders that Redis refused. */
  readonly fenced: number;
  /** Actions of which a new leader could not know whether they were said. */
  readonly doubts: number;
}

/** The units that the masters stand for come first, then those of `units` that nobody stands for. */
export async function seats(
  client: RedisClient,
  keys: Keys,
  { units, masters }: { readonly units: readonly string[]; readonly masters: readonly Peer[] },
): Promise<Seat[]> {
  const [seconds = 0, micros = 0] = (await client.time()).map(Number);
  const now = seconds * 1000 + Math.floor(micros / 1000);
  const all = new Set(["control", ...masters.flatMap((master) => master.units), ...units]);
  return Promise.all([...all].map((unit) => seat(client, keys, { unit, now, masters })));
}

async function seat(
  client: RedisClient,
  keys: Keys,
  { unit, now, masters }: { unit: string; now: number; masters: readonly Peer[] },
): Promise<Seat> {
  const [[token, epoch], told, pttl] = await Promise.all([
    client.mget(keys.lease(unit), keys.epoch(unit)),
    client.hgetall(keys.seat(unit)),
    client.pttl(keys.lease(unit)),
  ]);
  const count = (field: string): number => Number(told[field] ?? 0);
  const leader = token?.replace(/:[^:]*$/, "") ?? undefined;
  const since = told["sinceAt"] ?? epoch;
  return {
    unit,
    leader,
    revision: masters.find(({ owner }) => owner === leader)?.revision,
    epoch: epoch ?? undefined,
    ageMs: token && since ? Math.max(0, now - Number(since)) : undefined,
    remainingMs: pttl > 0 ? pttl : undefined,
    renewals: count("renewals"),
    vacantMs: count("handovers") + count("expiries") > 0 ? count("vacantMs") : undefined,
    handovers: count("handovers"),
    expiries: count("expiries"),
    fenced: count("fenced"),
    doubts: count("doubts"),
  };
}
