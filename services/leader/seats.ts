// Who leads which unit at this moment, for people. Nothing may be decided by it: it is old when it arrives.

import type { RedisClient } from "../redis/connect.ts";
import type { Keys } from "../redis/keys.ts";

export interface Seat {
  readonly unit: string;
  /** Who holds the Lease; undefined when nobody does. */
  readonly leader: string | undefined;
  /** The last epoch that was handed out; undefined when nobody ever led. */
  readonly epoch: string | undefined;
  /** How long the leader has led. An epoch is the time of its start, unless clocks went back. */
  readonly ageMs: number | undefined;
  /** When the Lease runs out unless it is renewed. */
  readonly remainingMs: number | undefined;
}

export async function seats(client: RedisClient, keys: Keys, units: readonly string[]): Promise<Seat[]> {
  const [seconds = 0, micros = 0] = (await client.time()).map(Number);
  const now = seconds * 1000 + Math.floor(micros / 1000);
  return Promise.all(
    units.map(async (unit) => {
      const [token, epoch] = await client.mget(keys.lease(unit), keys.epoch(unit));
      const pttl = token ? await client.pttl(keys.lease(unit)) : -2;
      return {
        unit,
        leader: token?.replace(/:[^:]*$/, "") ?? undefined,
        epoch: epoch ?? undefined,
        ageMs: token && epoch ? Math.max(0, now - Number(epoch)) : undefined,
        remainingMs: pttl > 0 ? pttl : undefined,
      };
    }),
  );
}
