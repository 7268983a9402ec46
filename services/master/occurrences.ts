// What people see by `kubectl get events`, and what is told of Kubernetes when it refuses: neither more than once a minute.
// Nothing waits for either.

import type { Cluster, Occurrence } from "../kubernetes/cluster.ts";
import type { Clock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import type { Emit } from "../telemetry/events.ts";

const MINUTE_MS = 60_000;

export interface OccurrencesOptions {
  readonly cluster: Pick<Cluster, "tell">;
  readonly clock: Clock;
  readonly emit: Emit;
}

interface Told {
  readonly atMs: number;
  /** Held back since. */
  more: number;
}

export class Occurrences {
  readonly #options: OccurrencesOptions;
  readonly #told = new Map<string, Told>();
  readonly #failed = new Map<string, number>();

  constructor(options: OccurrencesOptions) {
    this.#options = options;
  }

  /** The first of each reason in a minute; the next one says how many it stands for. */
  tell(occurrence: Occurrence): void {
    const { cluster, clock } = this.#options;
    const now = clock.monotonic();
    const before = this.#told.get(occurrence.reason);
    if (before !== undefined && now - before.atMs < MINUTE_MS) {
      before.more++;
      return;
    }
    this.#told.set(occurrence.reason, { atMs: now, more: 0 });
    const more = before === undefined || before.more === 0 ? "" : ` (${before.more} more since the last of this kind)`;
    cluster.tell({ ...occurrence, note: occurrence.note + more }).catch((error: unknown) => this.failed(error));
  }

  /** What Kubernetes would not do. Whether one goes on without it is for the caller to say. */
  failed(error: unknown): void {
    const { clock, emit } = this.#options;
    const now = clock.monotonic();
    const kind = error instanceof AntiphonError ? error.code : String(error);
    if (now - (this.#failed.get(kind) ?? Number.NEGATIVE_INFINITY) < MINUTE_MS) return;
    this.#failed.set(kind, now);
    if (kind.startsWith("KUBERNETES_")) emit("kubernetes.failed", { error });
    else emit("loop.failed", { loop: "scaler", error });
  }
}
