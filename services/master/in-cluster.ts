// What the leader of `control` does in Kubernetes: scales the workers, shows who leads. The client is loaded for it, in a
// thread, and goes when it leads no more.

import type { BrokerContext } from "../broker/connection.ts";
import type { ScaleTarget } from "../config/scale.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { Place } from "../kubernetes/place.ts";
import { RemoteCluster } from "../kubernetes/remote.ts";
import type { Tenure } from "../leader/duty.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Emit } from "../telemetry/events.ts";
import { Leads } from "./leads.ts";
import { Occurrences } from "./occurrences.ts";
import type { Pace } from "./scaled-pool.ts";
import { type PoolFigures, Scaler } from "./scaler.ts";

/** What a master has to know to act in Kubernetes. */
export interface Surroundings {
  readonly place: Place;
  readonly targets: readonly ScaleTarget[];
  readonly figures: () => Promise<readonly PoolFigures[]>;
  /** A master that was not heard of for so long is gone. */
  readonly heardMs: number;
  /** For tests. */
  readonly pace?: Pace;
}

interface Around {
  readonly place?: Place | undefined;
  readonly config: { readonly scaleTargets: readonly ScaleTarget[] };
  readonly pace?: Pace;
  readonly emit: Emit;
}

/** undefined: it runs outside of Kubernetes, or has no service account there. */
export function surroundingsOf(
  { place, config, pace, emit }: Around,
  heardMs: number,
  figures: Surroundings["figures"],
): Surroundings | undefined {
  const { scaleTargets: targets } = config;
  if (place !== undefined) return { place, targets, figures, heardMs, ...(pace && { pace }) };
  const why = "this process has no service account of Kubernetes";
  for (const { deployment } of targets) emit("scale.held", { deployment, why });
  return undefined;
}

export interface InClusterOptions extends Surroundings {
  readonly broker: BrokerContext;
  readonly tenure: Tenure;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
}

export class InCluster {
  readonly #cluster: Cluster & { close(): Promise<void> };
  readonly #leads: Leads;
  readonly #scaler: Scaler | undefined;

  constructor(options: InClusterOptions) {
    const { place, targets, broker, clock, emit } = options;
    const cluster = new RemoteCluster(place, clock);
    const occurrences = new Occurrences({ cluster, clock, emit });
    this.#cluster = cluster;
    this.#leads = new Leads({ ...options, cluster, occurrences, redis: broker, pod: place.pod });
    this.#scaler = targets.length === 0 ? undefined : new Scaler({ ...options, cluster, occurrences });
  }

  async start(): Promise<void> {
    await this.#scaler?.start();
    await this.#leads.start();
  }

  /** What is under way at the API server is not waited for: a handover must not depend on it. */
  async stop(): Promise<void> {
    await this.#cluster.close();
    await Promise.all([this.#scaler?.stop(), this.#leads.stop()]);
  }

  /** For people. */
  get status(): string | undefined {
    return this.#scaler?.status;
  }
}
