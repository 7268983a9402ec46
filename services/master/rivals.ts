// Whether another autoscaler owns a Deployment: a HorizontalPodAutoscaler, also one that KEDA made. Two would fight.

import type { Autoscaler, Cluster } from "../kubernetes/cluster.ts";
import type { Clock } from "../runtime/clock.ts";
import { hasCode } from "../runtime/errors.ts";

const LOOK_MS = 30_000;

export interface RivalsOptions {
  readonly cluster: Pick<Cluster, "autoscalers">;
  readonly clock: Clock;
  readonly failed: (error: unknown) => void;
}

export class Rivals {
  readonly #options: RivalsOptions;
  #seen: readonly Autoscaler[] = [];
  #seenAt = Number.NEGATIVE_INFINITY;

  constructor(options: RivalsOptions) {
    this.#options = options;
  }

  /** Its name, as of the last half minute. Who may not look sees none. */
  async of(deployment: string): Promise<string | undefined> {
    const { cluster, clock, failed } = this.#options;
    if (clock.monotonic() - this.#seenAt >= LOOK_MS) {
      this.#seen = await cluster.autoscalers().catch((error: unknown) => {
        if (!hasCode(error, "KUBERNETES_FORBIDDEN")) throw error;
        failed(error);
        return [];
      });
      this.#seenAt = clock.monotonic();
    }
    return this.#seen.find(({ target }) => target === `Deployment/${deployment}`)?.name;
  }
}
