// How often an address has sent a wrong token, counted by all pods together: past a limit nothing is compared any more.
//
// While Redis is away each process counts by itself. Sessions that exist are not held up by it.

import type { RedisClient } from "../../redis/connect.ts";
import type { Keys } from "../../redis/keys.ts";
import type { Clock } from "../../runtime/clock.ts";
import { setNewest } from "../../runtime/newest.ts";

export interface TriesOptions {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly clock: Pick<Clock, "monotonic">;
}

export const TRIES_MAX = 10;
export const WINDOW_MS = 5 * 60_000;
const ADDRESSES_MAX = 1_000;

interface Local {
  readonly tries: number;
  readonly untilMs: number;
}

export class Tries {
  readonly #options: TriesOptions;
  readonly #local = new Map<string, Local>();

  constructor(options: TriesOptions) {
    this.#options = options;
  }

  /** For how long nothing from there is looked at; 0 = it is. */
  async blockedMs(address: string): Promise<number> {
    const { client, keys } = this.#options;
    const key = keys.adminTries(blockOf(address));
    try {
      const tries = Number((await client.get(key)) ?? 0);
      return tries < TRIES_MAX ? 0 : Math.max(1, await client.pttl(key));
    } catch {
      const { tries, untilMs } = this.#known(address);
      return tries < TRIES_MAX ? 0 : untilMs - this.#options.clock.monotonic();
    }
  }

  /** @returns how many there were, with this one */
  async failed(address: string): Promise<number> {
    const { client, keys, clock } = this.#options;
    const key = keys.adminTries(blockOf(address));
    try {
      const replies = await client.multi().incr(key).pexpire(key, WINDOW_MS, "NX").exec();
      return Number(replies?.[0]?.[1] ?? TRIES_MAX);
    } catch {
      const { tries, untilMs } = this.#known(address);
      const until = tries === 0 ? clock.monotonic() + WINDOW_MS : untilMs;
      setNewest(this.#local, [blockOf(address), { tries: tries + 1, untilMs: until }], ADDRESSES_MAX);
      return tries + 1;
    }
  }

  #known(address: string): Local {
    const known = this.#local.get(blockOf(address));
    return known !== undefined && known.untilMs > this.#options.clock.monotonic() ? known : { tries: 0, untilMs: 0 };
  }
}

/** Whoever has one IPv6 address has all of its /64. */
export function blockOf(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.toLowerCase().split("::", 2);
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array.from({ length: zeros }, () => "0"), ...after];
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":");
}
