// A master's three connections to Redis: commands, what it listens to, and one for the Leases alone. Nobody else opens any.

import { closeRedis, openRedis, type Purpose, type RedisClient, type RedisState } from "../redis/connect.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Part } from "../runtime/part.ts";
import type { Emit } from "../telemetry/events.ts";

export interface MasterRedisOptions {
  readonly url: string;
  readonly pod: string;
  /** How long a question about a Lease may go unanswered. */
  readonly leaseCommandMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
}

export interface ConnectionState {
  readonly state: RedisState;
  /** Why, and the remedy where there is one. */
  readonly detail?: string;
}

export class MasterRedis implements Part {
  readonly name = "redis";
  readonly commands: RedisClient;
  readonly subscriber: RedisClient;
  readonly leases: RedisClient;
  readonly #states = new Map<Purpose, ConnectionState>();
  readonly #options: MasterRedisOptions;
  readonly #onOutage: (() => void)[] = [];
  #contact = false;
  #thereSince: number | undefined;

  /** Connects in the background: a Redis that is away is waited for, not complained about. */
  constructor(options: MasterRedisOptions) {
    this.#options = options;
    this.commands = this.#open("commands");
    this.subscriber = this.#open("subscriber");
    this.leases = this.#open("lease");
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    await Promise.all([this.commands, this.subscriber, this.leases].map((client) => closeRedis(client)));
  }

  /** Told when the commands connection is gone or its server unfit. */
  onOutage(listener: () => void): void {
    this.#onOutage.push(listener);
  }

  /** Whether Redis was ever there and fit. */
  get contact(): boolean {
    return this.#contact;
  }

  /** Since when the commands connection has been there and fit without a break, by the monotonic clock. */
  get thereSince(): number | undefined {
    return this.#thereSince;
  }

  states(): ReadonlyMap<Purpose, ConnectionState> {
    return this.#states;
  }

  #open(purpose: Purpose): RedisClient {
    const { url, pod, leaseCommandMs, clock, random, emit } = this.#options;
    return openRedis({
      url,
      purpose,
      name: `master-${purpose}:${pod}`,
      ...(purpose === "lease" ? { commandTimeoutMs: leaseCommandMs } : {}),
      clock,
      random,
      onState: (state, detail) => {
        const told = { state, ...(detail === undefined ? {} : { detail }) };
        this.#states.set(purpose, told);
        emit("redis.state", { connection: purpose, ...told });
        if (purpose !== "commands") return;
        if (state === "ready") {
          this.#contact = true;
          this.#thereSince ??= clock.monotonic();
        } else {
          this.#thereSince = undefined;
          for (const listener of this.#onOutage) listener();
        }
      },
    });
  }
}
