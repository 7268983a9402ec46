// What the leader of `control` does for the whole bot: fires schedules, takes back what dead workers held.

import type { BrokerContext } from "../broker/connection.ts";
import type { Duty, Tenure } from "../leader/leader.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Emit } from "../telemetry/events.ts";
import { Reaper } from "./reaper.ts";
import { Scheduler } from "./scheduler.ts";
import type { TimedRoute } from "./timetable.ts";

export interface ControlOptions {
  readonly broker: BrokerContext;
  readonly routes: readonly TimedRoute[];
  readonly thereSince?: () => number | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
}

export class Control implements Duty {
  readonly #options: ControlOptions;
  #agents: { readonly reaper: Reaper; readonly scheduler: Scheduler } | undefined;

  constructor(options: ControlOptions) {
    this.#options = options;
  }

  async begin(tenure: Tenure): Promise<void> {
    const agents = {
      reaper: new Reaper({ ...this.#options, tenure }),
      scheduler: new Scheduler({ ...this.#options, tenure }),
    };
    this.#agents = agents;
    await agents.reaper.start();
    await agents.scheduler.start();
  }

  /** Every step of both is one script, so there is nothing to finish. */
  async end(): Promise<void> {
    const agents = this.#agents;
    this.#agents = undefined;
    await Promise.all([agents?.reaper.stop(), agents?.scheduler.stop()]);
  }

  outage(): void {
    this.#agents?.reaper.outage();
  }
}
