// Whether another autoscaler owns a Deployment: a HorizontalPodAutoscaler, also one that KEDA made. Two would fight.

import type { Autoscaler, Cluster } from "../kubernetes/cluster.ts";
import type { Clock } from "../runtime/clock.ts";
import { hasCode } from "../runtime/errors.ts";
import { Recent } from "../runtime/recent.ts";

const LOOK_MS = 30_000;

export interface RivalsOptions {
  readonly cluster: Pick<Cluster, "autoscalers">;
  readonly clock: Clock;
  readonly failed: (error: unknown) => void;
}

export class Rivals {
  readonly #seen: Recent<readonly Autoscaler[]>;

  constructor({ cluster, clock, failed }: RivalsOptions) {
    const read = (): Promise<readonly Autoscaler[]> =>
      cluster.autoscalers().catch((error: unknown) => {
        if (!hasCode(error, "KUBERNETES_FORBIDDEN")) throw error;
        failed(error);
        return [];
      });
    this.#seen = new Recent({ read, maxAgeMs: LOOK_MS, clock });
  }

  /** Its name, as of the last half minute. Who may not look sees none. */
  async of(deployment: string): Promise<string | undefined> {
    const seen = await this.#seen.get();
    return seen.find(({ target }) => target === `Deployment/${deployment}`)?.name;
  }
}
