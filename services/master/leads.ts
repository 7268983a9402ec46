// Shows on the masters' pods who leads what (`antiphon.dev/leads`), and lets those that lead be removed last in a rollout, so
// that each unit moves once. One master does it for all: the others need not load the client.
//
// Not promised: that it is up to date. Nothing may be decided by it.

import type { Cluster } from "../kubernetes/cluster.ts";
import type { Tenure } from "../leader/duty.ts";
import { mastersOf } from "../leader/masters.ts";
import { seats } from "../leader/seats.ts";
import type { Keys } from "../redis/keys.ts";
import type { RedisClient } from "../redis/connect.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { hasCode } from "../runtime/errors.ts";
import { Loop } from "../runtime/loop.ts";
import type { Emit } from "../telemetry/events.ts";
import type { Occurrences } from "./occurrences.ts";
import { annotate, DELETION_COST } from "./pod-annotations.ts";

export interface LeadsOptions {
  readonly cluster: Cluster;
  readonly occurrences: Occurrences;
  readonly redis: { readonly client: RedisClient; readonly keys: Keys };
  /** This pod's name. */
  readonly pod: string;
  /** A master that was not heard of for so long is gone. */
  readonly heardMs: number;
  readonly tenure: Tenure;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
}

const LEADS = "antiphon.dev/leads";
const LOOK_MS = 3_000;
/** What others wrote, or a pod that was cut off while it lost a Lease, is found after this. */
const LIST_MS = 60_000;
/** These name the masters of one installation. */
const LABELS = ["app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"];

export class Leads {
  readonly #options: LeadsOptions;
  readonly #loop: Loop;
  /** Pod -> its annotation as far as known; "" for none. */
  #written = new Map<string, string>();
  #listAt = 0;
  /** Unit -> pod. */
  #leaders: ReadonlyMap<string, string> | undefined;
  #selector: string | undefined;

  constructor(options: LeadsOptions) {
    this.#options = options;
    this.#loop = new Loop({
      name: "leads",
      intervalMs: LOOK_MS,
      tick: () => this.#tick(),
      onError: (error) => options.occurrences.failed(error),
      clock: options.clock,
      random: options.random,
    });
  }

  start(): Promise<void> {
    return this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #tick(): Promise<void> {
    const { tenure, clock } = this.#options;
    if (!tenure.held()) return;
    if (clock.monotonic() >= this.#listAt) {
      await this.#list();
      this.#listAt = clock.monotonic() + LIST_MS;
    }
    const leaders = await this.#seated();
    this.#tellChanges(leaders);
    await this.#write(Map.groupBy(leaders.keys(), (unit) => leaders.get(unit) ?? ""));
  }

  async #list(): Promise<void> {
    const { cluster, pod } = this.#options;
    if (this.#selector === undefined) {
      const { labels } = await cluster.pod(pod).catch((error: unknown) => {
        if (!hasCode(error, "KUBERNETES_MISSING")) throw error;
        return { labels: {} as Record<string, string> }; // its host's name is not the pod's
      });
      const has = LABELS.filter((label) => labels[label] !== undefined);
      this.#selector = has.length < LABELS.length ? "" : has.map((label) => `${label}=${labels[label]}`).join(",");
    }
    // Deployed by other means than the chart: only masters that are heard of are known then.
    if (this.#selector === "") return;
    const pods = await cluster.pods(this.#selector);
    const said = pods.map(({ name, annotations }): [string, string] => [name, annotations[LEADS] ?? ""]);
    // Also of a pod that is about to end: it has just handed over.
    this.#leaders ??= new Map(said.flatMap(([name, units]) => unitsOf(units).map((unit) => [unit, name])));
    const leaving = new Set(pods.filter(({ isLeaving }) => isLeaving).map(({ name }) => name));
    this.#written = new Map(said.filter(([name]) => !leaving.has(name)));
  }

  async #seated(): Promise<Map<string, string>> {
    const { redis, heardMs } = this.#options;
    const masters = await mastersOf(redis.client, redis.keys, heardMs);
    const taken = await seats(redis.client, redis.keys, { units: [], masters });
    return new Map(
      taken.flatMap(({ unit, leader }): [string, string][] =>
        leader === undefined ? [] : [[unit, leader.slice(0, leader.lastIndexOf("/"))]],
      ),
    );
  }

  #tellChanges(leaders: ReadonlyMap<string, string>): void {
    const before = this.#leaders ?? new Map<string, string>();
    this.#leaders = new Map([...before, ...leaders]); // who led a unit that nobody leads now is remembered
    const changed = [...leaders].filter(([unit, pod]) => before.get(unit) !== pod);
    const moved = changed
      .filter(([unit]) => before.has(unit))
      .map(([unit, pod]) => `${unit} from ${before.get(unit)} to ${pod}`);
    const taken = changed.filter(([unit]) => !before.has(unit)).map(([unit, pod]) => `${unit} by ${pod}`);
    if (moved.length > 0) this.#tell("HandedOver", moved);
    if (taken.length > 0) this.#tell("LeaderElected", taken);
  }

  #tell(reason: "HandedOver" | "LeaderElected", notes: readonly string[]): void {
    const { occurrences, pod } = this.#options;
    occurrences.tell({ reason, note: notes.join("; "), about: { kind: "Pod", name: pod } });
  }

  async #write(led: ReadonlyMap<string, readonly string[]>): Promise<void> {
    const pods = new Set([...this.#written.keys(), ...led.keys()]);
    for (const pod of pods) {
      const units = (led.get(pod) ?? []).toSorted().join(",");
      if ((this.#written.get(pod) ?? "") === units) continue;
      this.#options.tenure.assert();
      const shown = { [LEADS]: units || null, [DELETION_COST]: units === "" ? null : "1000" };
      await annotate(this.#options.cluster, pod, shown);
      this.#written.set(pod, units);
    }
  }
}

function unitsOf(annotation: string): string[] {
  return annotation === "" ? [] : annotation.split(",");
}
