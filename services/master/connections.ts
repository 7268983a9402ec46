// The units of all configured adapters, each under its own Lease.

import type { LoadedAdapter } from "../adapters/load.ts";
import type { BrokerContext } from "../broker/connection.ts";
import type { QueueLimits } from "../broker/producer.ts";
import type { Duty } from "../leader/duty.ts";
import { Leader } from "../leader/leader.ts";
import { Lease } from "../leader/lease.ts";
import type { Masters } from "../leader/masters.ts";
import type { LeaseTiming } from "../leader/timing.ts";
import type { Watchdog } from "../leader/watchdog.ts";
import type { RedisClient } from "../redis/connect.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Part } from "../runtime/part.ts";
import type { Emit } from "../telemetry/events.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import { Unit } from "./unit.ts";

/** What every Lease of this process shares. */
export interface LeaderSurroundings {
  /** A connection opened for the purpose "lease". */
  readonly leases: RedisClient;
  readonly subscriber: RedisClient;
  readonly broker: BrokerContext;
  readonly timing: LeaseTiming;
  /** Who this process is, unique per start. */
  readonly owner: string;
  readonly newId: () => string;
  readonly watchdog?: Watchdog | undefined;
  /** The other masters; without them none is more or less entitled. */
  readonly masters?: Masters;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
}

export function leaderOf(unit: string, duty: Duty, around: LeaderSurroundings): Leader {
  const { leases, subscriber, broker, timing, owner, newId, watchdog, masters, clock, random, emit } = around;
  const { keys } = broker;
  const lease = new Lease({ client: leases, keys, unit, owner, newId, timing, clock });
  const freeChannel = keys.leaseFree(unit);
  const options = { lease, timing, duty, subscriber, freeChannel, clock, random, emit };
  const leader = new Leader({ ...options, ...(watchdog && { watchdog }), ...(masters && { courtesy: masters }) });
  masters?.stand(leader);
  return leader;
}

export interface ConnectionsOptions {
  readonly around: LeaderSurroundings;
  readonly adapters: readonly LoadedAdapter[];
  readonly limits: QueueLimits;
  /** The only room that may be spoken in, if there is one. */
  readonly only?: string | undefined;
  readonly tracing?: Tracing | undefined;
}

interface Connection {
  readonly unit: Unit;
  readonly leader: Leader;
}

export class Connections implements Part {
  readonly name = "connections";
  readonly #options: ConnectionsOptions;
  #connections: Connection[] = [];
  #isComplete = false;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    for (const adapter of this.#options.adapters) await this.#startAdapter(adapter);
    this.#isComplete = true;
  }

  /** Whether every unit that should be here is here. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** All units hand over at once: together they have as long as one. */
  async stop(deadlineMs: number): Promise<void> {
    const ended = this.#connections.splice(0).map(async ({ leader, unit }) => {
      await leader.stop(deadlineMs);
      await unit.close(deadlineMs);
    });
    const failure = (await Promise.allSettled(ended)).find((result) => result.status === "rejected");
    if (failure) throw failure.reason;
  }

  get leaders(): readonly Leader[] {
    return this.#connections.map(({ leader }) => leader);
  }

  /** What became of each connection. Only what is wrong here is told as such: whoever does not lead has nothing to mend. */
  get checks(): readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[] {
    return this.#connections.map(({ unit }) => {
      const { state, detail } = unit.status;
      const ok = state !== "failed" && state !== "degraded" && state !== "evicted";
      return { name: `adapter ${unit.name}`, ok, detail: detail === "" ? state : `${state}: ${detail}` };
    });
  }

  async #startAdapter({ name, create, settings }: LoadedAdapter): Promise<void> {
    if (!create) return;
    const { around, limits, only, tracing } = this.#options;
    const { broker, subscriber, clock, random, emit } = around;
    const units = (await (await create({ settings, clock, random })).units?.()) ?? [""];
    for (const part of units) {
      const unitName = part === "" ? name : `${name}/${part}`;
      const unit = new Unit({
        unit: unitName,
        create,
        settings,
        broker,
        limits,
        only,
        subscriber,
        clock,
        random,
        emit,
        tracing,
      });
      const leader = leaderOf(unitName, unit, around);
      this.#connections.push({ unit, leader });
      await unit.warm();
      await leader.start();
    }
  }
}
