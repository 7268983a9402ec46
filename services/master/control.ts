// What the leader of `control` does for the whole bot: fires schedules, takes back what dead workers held, forgets dead
// letters that outlived their time, warns of queues that nobody serves, tells how the bot stands; in Kubernetes it scales
// the workers.

import type { BrokerContext } from "../broker/connection.ts";
import type { DeadRetention } from "../broker/dead.ts";
import type { Duty, Tenure } from "../leader/duty.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Emit } from "../telemetry/events.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import { InCluster, type Surroundings } from "./in-cluster.ts";
import { Reaper } from "./reaper.ts";
import { Retention } from "./retention.ts";
import { Scheduler } from "./scheduler.ts";
import { Snapshots, type SnapshotsOptions } from "./snapshots.ts";
import type { TimedRoute } from "./timetable.ts";
import { Unserved } from "./unserved.ts";

export interface ControlOptions {
  readonly broker: BrokerContext;
  readonly routes: readonly TimedRoute[];
  readonly retention: DeadRetention;
  readonly thereSince?: () => number | undefined;
  /** For telling how the bot stands; absent: nobody is told. */
  readonly told?: Pick<SnapshotsOptions, "subscriber" | "leaseMs">;
  /** In a pod with a service account. */
  readonly kubernetes?: Surroundings | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
  readonly tracing?: Tracing | undefined;
}

export class Control implements Duty {
  readonly #options: ControlOptions;
  #agents: readonly Agent[] = [];
  #reaper: Reaper | undefined;
  #inCluster: InCluster | undefined;

  constructor(options: ControlOptions) {
    this.#options = options;
  }

  async begin(tenure: Tenure): Promise<void> {
    const options = { ...this.#options, tenure };
    this.#reaper = new Reaper(options);
    this.#agents = [this.#reaper, new Scheduler(options), new Retention(options), new Unserved(options)];
    const { kubernetes } = options;
    this.#inCluster = kubernetes && new InCluster({ ...options, ...kubernetes });
    if (this.#inCluster) this.#agents = [...this.#agents, this.#inCluster];
    if (options.told) this.#agents = [...this.#agents, new Snapshots({ ...options, ...options.told })];
    for (const agent of this.#agents) await agent.start();
  }

  /** Every step of all is one script, so there is nothing to finish. */
  async end(): Promise<void> {
    const agents = this.#agents;
    this.#agents = [];
    this.#reaper = undefined;
    this.#inCluster = undefined;
    await Promise.all(agents.map((agent) => agent.stop()));
  }

  /** What it does in Kubernetes, for people; undefined where it scales nothing. */
  get scaling(): string | undefined {
    const { kubernetes } = this.#options;
    if (kubernetes === undefined || kubernetes.targets.length === 0) return undefined;
    return this.#inCluster?.status ?? "the leader of control does it";
  }

  outage(): void {
    this.#reaper?.outage();
  }
}

type Agent = Pick<Scheduler, "start" | "stop">;
