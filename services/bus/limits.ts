// What anybody may ask of the bus, and how often somebody asked for more. A refusal is a 429 that says when to come again.

import type { Clock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";

export interface BusLimits {
  readonly channels: number;
  readonly connections: number;
  readonly connectionsPerUser: number;
  /** Not counted for proxies that do not say whom they speak for. */
  readonly connectionsPerAddress: number;
  /** New requests of one client. */
  readonly requestsPerSecond: number;
  readonly messageBytes: number;
}

export const LIMITS: BusLimits = {
  channels: 128,
  connections: 20_000,
  connectionsPerUser: 10,
  connectionsPerAddress: 50,
  requestsPerSecond: 10,
  messageBytes: 64 * 1024,
};

/** Whom a connection counts for. */
export interface Peer {
  readonly user: string | undefined;
  readonly address: string | undefined;
}

const SECOND_MS = 1_000;

export class Limits {
  readonly max: BusLimits;
  /** How often each was exceeded. */
  readonly refused = new Map<string, number>();
  readonly #clock: Clock;
  readonly #held = new Map<string, number>();
  #asked = new Map<string, number>();
  #since = 0;
  #connections = 0;

  constructor(max: Partial<BusLimits>, clock: Clock) {
    this.max = { ...LIMITS, ...max };
    this.#clock = clock;
  }

  get connections(): number {
    return this.#connections;
  }

  /** Throws TOO_MANY_REQUESTS. */
  request(client: string): void {
    const now = this.#clock.monotonic();
    if (now - this.#since >= SECOND_MS) {
      this.#asked = new Map();
      this.#since = now;
    }
    const count = (this.#asked.get(client) ?? 0) + 1;
    this.#asked.set(client, count);
    if (count > this.max.requestsPerSecond) this.#refuse("requestsPerSecond");
  }

  /** Throws REQUEST_INVALID. */
  channels(count: number): void {
    if (count <= this.max.channels) return;
    this.note("channels");
    throw new AntiphonError("REQUEST_INVALID", `A request may name ${this.max.channels} channels.`);
  }

  /** Takes a place, and gives the function that frees it. Throws TOO_MANY_REQUESTS. */
  connect({ user, address }: Peer): () => void {
    const keys = [user === undefined ? "" : `user ${user}`, address === undefined ? "" : `address ${address}`];
    if (this.#connections >= this.max.connections) this.#refuse("connections");
    if (this.#count(keys[0]) >= this.max.connectionsPerUser) this.#refuse("connectionsPerUser");
    if (this.#count(keys[1]) >= this.max.connectionsPerAddress) this.#refuse("connectionsPerAddress");
    this.#connections++;
    for (const key of keys) if (key !== "") this.#held.set(key, this.#count(key) + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#connections--;
      for (const key of keys) this.#free(key);
    };
  }

  note(limit: string): void {
    this.refused.set(limit, (this.refused.get(limit) ?? 0) + 1);
  }

  #count(key: string | undefined): number {
    return this.#held.get(key ?? "") ?? 0;
  }

  #free(key: string): void {
    const left = this.#count(key) - 1;
    if (left > 0) this.#held.set(key, left);
    else this.#held.delete(key);
  }

  #refuse(limit: keyof BusLimits): never {
    this.note(limit);
    throw new AntiphonError("TOO_MANY_REQUESTS", "");
  }
}
