// Tells every two seconds how the bot stands, on a channel of the bus that the admin port shows: the dashboard lives on it, and
// what the channel keeps is the history of its charts. Only the leader of `control` does, so that it is told once.

import { NOW_CHANNEL, NOW_EVERY_MS, NOW_KEEPS } from "../admin/now-channel.ts";
import { takeSnapshot } from "../admin/snapshot.ts";
import type { BrokerContext } from "../broker/connection.ts";
import { Publisher } from "../bus/publisher.ts";
import { RedisBackend } from "../bus/redis-backend.ts";
import type { Tenure } from "../leader/duty.ts";
import type { RedisClient } from "../redis/connect.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { Loop } from "../runtime/loop.ts";
import type { Emit } from "../telemetry/events.ts";

export interface SnapshotsOptions {
  readonly broker: BrokerContext;
  readonly subscriber: RedisClient;
  readonly leaseMs: number;
  readonly tenure: Tenure;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
}

/** One that is late is of no use: it is not waited for. */
const WAITING = { messages: 1, bytes: 1024 * 1024 };
const STOP_MS = 200;

export class Snapshots {
  readonly #options: SnapshotsOptions;
  readonly #publisher: Publisher;
  readonly #loop: Loop;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
    const { broker, subscriber, clock, random, emit } = options;
    const backend = new RedisBackend({ commands: broker.client, subscriber, keys: broker.keys });
    this.#publisher = new Publisher({ backend, clock, random, limits: WAITING, seen: () => 0 });
    this.#loop = new Loop({
      name: "snapshots",
      intervalMs: NOW_EVERY_MS,
      tick: () => this.#tick(),
      onError: (error) => emit("loop.failed", { loop: "snapshots", error }),
      clock,
      random,
    });
  }

  start(): Promise<void> {
    return this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
    await this.#publisher.stop(STOP_MS);
  }

  async #tick(): Promise<void> {
    const { broker, leaseMs, tenure } = this.#options;
    if (!tenure.held()) return;
    const snapshot = await takeSnapshot({ context: broker, leaseMs });
    if (!tenure.held()) return;
    const payload = Buffer.from(JSON.stringify(snapshot));
    await this.#publisher.publish({ channel: NOW_CHANNEL, payload, keep: NOW_KEEPS, buffer: false });
  }
}
