// Keeps each pool's Deployment at the number of pods that its work requires. Under the Lease of `control` alone.
//
// Not promised: that two leaders never patch at once, for Kubernetes knows no epoch. Each writes only what it has just read.

import type { BrokerContext } from "../broker/connection.ts";
import type { ScaleTarget } from "../config/scale.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { Tenure } from "../leader/duty.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { Loop } from "../runtime/loop.ts";
import type { Emit } from "../telemetry/events.ts";
import type { Occurrences } from "./occurrences.ts";
import { Rivals } from "./rivals.ts";
import { type Pace, ScaledPool } from "./scaled-pool.ts";

/** What the work of one pool requires, as of now. */
export interface PoolFigures {
  readonly name: string;
  readonly required: number;
}

export interface ScalerOptions {
  readonly targets: readonly ScaleTarget[];
  readonly figures: () => Promise<readonly PoolFigures[]>;
  readonly cluster: Cluster;
  readonly occurrences: Occurrences;
  readonly broker: BrokerContext;
  readonly tenure: Tenure;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
  /** For tests. */
  readonly pace?: Pace;
}

const LOOK_MS = 1_000;

export class Scaler {
  readonly #options: ScalerOptions;
  readonly #loop: Loop;
  readonly #pools: ReadonlyMap<string, ScaledPool>;

  constructor(options: ScalerOptions) {
    const { targets, cluster, clock, random, occurrences } = options;
    this.#options = options;
    const rivals = new Rivals({ cluster, clock, failed: (error) => occurrences.failed(error) });
    this.#pools = new Map(targets.map((target) => [target.pool, new ScaledPool({ ...options, target, rivals })]));
    this.#loop = new Loop({
      name: "scaler",
      intervalMs: LOOK_MS,
      tick: () => this.#tick(),
      onError: (error) => this.#blind(error),
      clock,
      random,
    });
  }

  start(): Promise<void> {
    return this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** For people. */
  get status(): string {
    return [...this.#pools.values()].map(({ status }) => status).join("; ");
  }

  async #tick(): Promise<void> {
    const { figures, tenure } = this.#options;
    if (!tenure.held()) return;
    const required = new Map((await figures()).map((pool) => [pool.name, pool.required]));
    await Promise.all([...this.#pools].map(([name, pool]) => pool.step(required.get(name))));
  }

  /** Without figures nobody decides. */
  #blind(error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    for (const pool of this.#pools.values()) pool.hold(why);
  }
}
