// Takes pods away from a pool without taking work away from anybody: quiets those with the least to do, waits until they are
// idle, makes them the cheapest, asks for fewer, and sees that they went.
//
//   quieting ── idle, or 20 s are over ──▶ removing ── gone ──▶ over
//      └───────── cancelled ────────────────▶ over ◀── 60 s are over: what is left goes on
//
// Should this process die, the order ends by itself after 60 s, and the next leader takes the marks away.

import { burdens } from "../broker/burdens.ts";
import type { BrokerContext } from "../broker/connection.ts";
import { ordersOf, quietPods } from "../broker/orders.ts";
import type { Tenure } from "../leader/duty.ts";
import type { Annotations, Cluster, Pod, Scale } from "../kubernetes/cluster.ts";
import type { Clock } from "../runtime/clock.ts";
import { hasCode } from "../runtime/errors.ts";
import { annotate, DELETION_COST } from "./pod-annotations.ts";
import { chooseVictims, isRollingOut } from "./victims.ts";

/** Told apart from a cost that somebody else set. */
const MARK = "antiphon.dev/scale-in";
const CHEAPEST = "-100";
const UNMARKED: Annotations = { [DELETION_COST]: null, [MARK]: null };

/** A worker hears of the order with its beat, each second; what it took until then shows by now. */
const HEARD_MS = 3_000;
const IDLE_MS = 20_000;
const QUIET_MS = 60_000;
const LATE_MS = 10_000;
/** How often we look whether they are gone. */
const LOOK_MS = 5_000;

export interface ScaleInOptions {
  readonly cluster: Cluster;
  readonly broker: BrokerContext;
  readonly tenure: Tenure;
  readonly clock: Clock;
  /** Told of what Kubernetes refused and one can do without. */
  readonly failed: (error: unknown) => void;
}

export interface Plan {
  readonly scale: Scale;
  readonly to: number;
  /** Busy pods go too, because in earlier tries none became idle. */
  readonly withBusy: boolean;
}

export interface Removal {
  readonly scale: Scale;
  readonly idle: number;
  readonly busy: number;
}

export class ScaleIn {
  readonly to: number;
  readonly #options: ScaleInOptions;
  readonly #plan: Plan;
  #victims: readonly string[];
  #marked: readonly string[] = [];
  #state: "quieting" | "removing" | "over" = "quieting";
  #lookAt = 0;
  #hasRemoved = false;
  readonly #quietedAt: number;

  private constructor(options: ScaleInOptions, plan: Plan, victims: readonly string[]) {
    this.#options = options;
    this.#plan = plan;
    this.#victims = victims;
    this.#quietedAt = options.clock.monotonic();
    this.to = plan.to;
  }

  /** undefined: not now, for nobody could say who would go. */
  static async begin(options: ScaleInOptions, plan: Plan): Promise<ScaleIn | undefined> {
    const { broker, tenure } = options;
    const pods = await podsOf(options, plan.scale);
    if (pods === undefined) return new ScaleIn(options, plan, []);
    if (isRollingOut(pods)) return undefined;
    const [held, orders] = await Promise.all([burdens(broker), ordersOf(broker)]);
    const count = excess(pods, plan);
    const chosen = chooseVictims({ pods, count, burdens: held, ordered: new Set(orders.keys()) });
    if (chosen.victims.length === 0 && chosen.unready === 0 && count > 0) return undefined;
    tenure.assert();
    const victims = await quietPods(broker, { epoch: tenure.epoch, pods: chosen.victims, ms: QUIET_MS });
    return new ScaleIn(options, plan, victims);
  }

  /** It was not for nothing. */
  get hasRemoved(): boolean {
    return this.#hasRemoved;
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  get isRemoving(): boolean {
    return this.#state === "removing";
  }

  /** Once a second. Answers once, when fewer were asked for. */
  async step(): Promise<Removal | undefined> {
    const { broker, clock } = this.#options;
    const passedMs = clock.monotonic() - this.#quietedAt;
    if (this.#state === "removing") await this.#follow(passedMs);
    if (this.#state !== "quieting") return undefined;
    if (this.#victims.length > 0 && passedMs < HEARD_MS) return undefined;
    const held = await burdens(broker);
    const idle = this.#victims.filter((pod) => (held.get(pod) ?? 0) === 0);
    if (idle.length < this.#victims.length && passedMs < IDLE_MS) return undefined;
    return this.#remove(idle);
  }

  /** The fastest capacity there is: they go on within a second. */
  async cancel(): Promise<void> {
    if (this.#state === "over") return;
    this.#state = "over";
    await this.#spare(this.#victims);
  }

  async #remove(idle: readonly string[]): Promise<Removal | undefined> {
    const { scale, withBusy } = this.#plan;
    const busy = this.#victims.filter((pod) => !idle.includes(pod));
    if (!withBusy) await this.#spare(busy);
    this.#victims = withBusy ? this.#victims : idle;
    const goal = this.#goal(await podsOf(this.#options, scale));
    if (goal >= scale.replicas) return this.cancel().then(() => undefined);
    await this.#mark();
    const smaller = this.#isLate ? undefined : await this.#ask(goal);
    if (smaller === undefined) return this.cancel().then(() => undefined);
    this.#state = "removing";
    this.#hasRemoved = true;
    this.#lookAt = this.#options.clock.monotonic() + LOOK_MS;
    return { scale: smaller, idle: idle.length, busy: withBusy ? busy.length : 0 };
  }

  /** They may be taking work again before they are removed. */
  get #isLate(): boolean {
    return this.#options.clock.monotonic() - this.#quietedAt > QUIET_MS - LATE_MS;
  }

  /** At most the victims go, and what goes before them anyway. What was not made yet need not go. */
  #goal(pods: readonly Pod[] | undefined): number {
    const { scale, to } = this.#plan;
    if (pods === undefined) return to;
    if (isRollingOut(pods)) return scale.replicas;
    const staying = stayingOf(pods);
    const going = staying.filter(({ name, isReady }) => !isReady || this.#victims.includes(name));
    return Math.max(to, Math.min(scale.replicas, staying.length) - going.length);
  }

  /** undefined: somebody else changed it meanwhile. */
  async #ask(replicas: number): Promise<Scale | undefined> {
    const { cluster, tenure } = this.#options;
    const { deployment, replicas: before } = this.#plan.scale;
    const scale = await cluster.scaleOf(deployment);
    if (scale.replicas !== before) return undefined;
    tenure.assert();
    return cluster.setReplicas(scale, replicas).catch((error: unknown) => {
      if (!hasCode(error, "KUBERNETES_CONFLICT")) throw error;
      return undefined;
    });
  }

  async #mark(): Promise<void> {
    const { cluster, clock, failed, tenure } = this.#options;
    tenure.assert();
    this.#marked = this.#victims;
    const mark = { [DELETION_COST]: CHEAPEST, [MARK]: new Date(clock.now()).toISOString() };
    await withoutRight(failed, () => Promise.all(this.#victims.map((pod) => annotate(cluster, pod, mark))));
  }

  /** Those that are not gone in time were not the ones that Kubernetes chose. */
  async #follow(passedMs: number): Promise<void> {
    const { clock } = this.#options;
    if (clock.monotonic() < this.#lookAt) return;
    this.#lookAt = clock.monotonic() + LOOK_MS;
    const pods = await podsOf(this.#options, this.#plan.scale);
    const left = stayingOf(pods ?? []).filter(({ name }) => this.#victims.includes(name));
    if (left.length > 0 && passedMs < QUIET_MS) return;
    this.#state = "over";
    await this.#spare(left.map(({ name }) => name));
  }

  async #spare(pods: readonly string[]): Promise<void> {
    const { broker, cluster, tenure, failed } = this.#options;
    await quietPods(broker, { epoch: tenure.epoch, pods, ms: 0 });
    const marked = pods.filter((pod) => this.#marked.includes(pod));
    await withoutRight(failed, () => Promise.all(marked.map((pod) => annotate(cluster, pod, UNMARKED))));
  }
}

/** What a leader before this one began and did not end: those pods go on. */
export async function recover(options: ScaleInOptions, scale: Scale, quieted: readonly string[]): Promise<void> {
  const { broker, cluster, tenure, failed } = options;
  const staying = stayingOf((await podsOf(options, scale)) ?? []);
  const ours = staying.map(({ name }) => name).filter((name) => quieted.includes(name));
  await quietPods(broker, { epoch: tenure.epoch, pods: ours, ms: 0 });
  const marked = staying.filter(({ annotations }) => annotations[MARK] !== undefined);
  await withoutRight(failed, () => Promise.all(marked.map(({ name }) => annotate(cluster, name, UNMARKED))));
}

function stayingOf(pods: readonly Pod[]): Pod[] {
  return pods.filter(({ isLeaving }) => !isLeaving);
}

/** What Kubernetes has not made yet need not be removed. */
function excess(pods: readonly Pod[], { scale, to }: Plan): number {
  return Math.min(scale.replicas, stayingOf(pods).length) - to;
}

/** undefined: we may not look. */
async function podsOf({ cluster, failed }: ScaleInOptions, { selector }: Scale): Promise<Pod[] | undefined> {
  return withoutRight(failed, () => cluster.pods(selector));
}

/** Missing rights are told, and one goes on without. */
async function withoutRight<T>(failed: (error: unknown) => void, act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (!hasCode(error, "KUBERNETES_FORBIDDEN")) throw error;
    failed(error);
    return undefined;
  }
}
