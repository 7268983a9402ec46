// One pool's Deployment: reads how many pods it has, decides, asks for more at once and for fewer with care, and holds whenever
// somebody else decides or nobody can know.

import type { ScaleTarget } from "../config/scale.ts";
import type { Scale } from "../kubernetes/cluster.ts";
import { quietedPods } from "../broker/orders.ts";
import { backoffMs } from "../runtime/backoff.ts";
import type { Random } from "../runtime/clock.ts";
import { hasCode } from "../runtime/errors.ts";
import type { Emit } from "../telemetry/events.ts";
import type { Occurrences } from "./occurrences.ts";
import type { Rivals } from "./rivals.ts";
import { type Bounds, decide, type History, shrank } from "./scale-decision.ts";
import { recover, ScaleIn, type ScaleInOptions } from "./scale-in.ts";

export interface ScaledPoolOptions extends Omit<ScaleInOptions, "failed"> {
  readonly target: ScaleTarget;
  readonly rivals: Rivals;
  readonly occurrences: Occurrences;
  readonly random: Random;
  readonly emit: Emit;
  /** For tests. */
  readonly pace?: Pace;
}

/** How long fewer must have been enough, and how long after one step down the next may come. */
export interface Pace {
  readonly calmMs?: number;
  readonly stepMs?: number;
}

/** What others change by hand is seen after this. */
const LOOK_MS = 10_000;
const REST = { firstMs: 1_000, maxMs: 30_000 };
const HELD_MS = 60_000;
/** Of one pool at once: each costs a request, and all have to be made before the first goes on by itself. */
const ROUND_MAX = 20;
/** After this many failed tries to find idle pods, busy ones go too: they drain, and what they cannot finish runs elsewhere. */
const VAIN_MAX = 10;

export class ScaledPool {
  readonly #options: ScaledPoolOptions;
  #scale: Scale | undefined;
  #lookAt = 0;
  #history: History | undefined;
  #scaleIn: ScaleIn | undefined;
  #vain = 0;
  #isRecovered = false;
  #failures = 0;
  #restUntil = 0;
  #heldAt = Number.NEGATIVE_INFINITY;
  #status = "not looked at yet";

  constructor(options: ScaledPoolOptions) {
    this.#options = options;
  }

  get status(): string {
    return `${this.#options.target.deployment}: ${this.#status}`;
  }

  /** Once a second. Never throws: what fails is told, and tried again later. */
  async step(required: number | undefined): Promise<void> {
    const { clock, random, occurrences } = this.#options;
    if (clock.monotonic() < this.#restUntil) return;
    try {
      await this.#step(required);
      this.#failures = 0;
    } catch (error) {
      this.#scale = undefined;
      this.#restUntil = clock.monotonic() + backoffMs(this.#failures++, REST, random);
      if (hasCode(error, "FENCED") || hasCode(error, "KUBERNETES_CONFLICT")) return;
      occurrences.failed(error);
      this.hold(error instanceof Error ? error.message : String(error));
      await this.#cancel().catch(() => {}); // the orders end by themselves
    }
  }

  hold(why: string): void {
    const { target, clock, emit } = this.#options;
    this.#status = `holding: ${why}`;
    if (clock.monotonic() - this.#heldAt < HELD_MS) return;
    this.#heldAt = clock.monotonic();
    emit("scale.held", { deployment: target.deployment, why });
  }

  async #step(required: number | undefined): Promise<void> {
    const { target, clock, pace } = this.#options;
    const scale = await this.#look();
    if (!this.#isRecovered) await this.#recover(scale);
    if (await this.#isRefused(scale)) return this.#cancel();
    if (scale.replicas === 0) return this.#stayOff();
    const nowMs = clock.monotonic();
    const bounds: Bounds = target;
    const situation = { bounds, present: scale.replicas, required, history: this.#history, nowMs, ...pace };
    const decided = decide(situation);
    this.#history = decided.history;
    this.#status = `${scale.replicas} of ${target.min} to ${target.max}, ${required ?? "unknown"} required`;
    if (decided.target > scale.replicas) return this.#grow(decided.target, required);
    if (this.#scaleIn !== undefined) return this.#goOn(this.#scaleIn, decided.target, required);
    if (decided.target < scale.replicas) await this.#shrink(scale, decided.target);
  }

  async #look(): Promise<Scale> {
    const { cluster, clock, target } = this.#options;
    if (this.#scale !== undefined && clock.monotonic() < this.#lookAt) return this.#scale;
    this.#lookAt = clock.monotonic() + LOOK_MS;
    return (this.#scale = await cluster.scaleOf(target.deployment));
  }

  async #recover(scale: Scale): Promise<void> {
    const { broker } = this.#options;
    await recover(this.#forScaleIn, scale, await quietedPods(broker));
    this.#isRecovered = true;
  }

  /** Asked with each change, and while it is so. */
  async #isRefused({ uid }: Scale): Promise<boolean> {
    const { rivals, target, occurrences } = this.#options;
    const { deployment } = target;
    const rival = await rivals.of(deployment);
    if (rival === undefined) return false;
    const why = `the HorizontalPodAutoscaler ${rival} scales this Deployment already`;
    const note = `${why}; remove it, or take ${deployment} out of ANTIPHON_SCALE_TARGETS`;
    occurrences.tell({
      reason: "ScaleRefused",
      note,
      isWarning: true,
      about: { kind: "Deployment", name: deployment, uid },
    });
    this.hold(why);
    return true;
  }

  /** As with any autoscaler: nobody who scales to 0 by hand wants it undone. */
  async #stayOff(): Promise<void> {
    this.hold("somebody scaled it to 0; scale it to 1 or more to switch scaling on again");
    await this.#cancel();
  }

  async #grow(to: number, required: number | undefined): Promise<void> {
    const { cluster, target, tenure, emit } = this.#options;
    await this.#cancel();
    const { deployment } = target;
    const scale = await cluster.scaleOf(deployment);
    const from = scale.replicas;
    this.#scale = scale;
    if (from >= to || from === 0) return;
    tenure.assert();
    this.#scale = await cluster.setReplicas(scale, to);
    this.#vain = 0;
    emit("scale.up", { deployment, from, to, required: required ?? 0 });
    const why = (required ?? 0) > from ? `the work requires ${required}` : `the minimum is ${target.min}`;
    this.#tell("ScaledUp", `from ${from} to ${to}: ${why}`);
  }

  async #shrink(scale: Scale, to: number): Promise<void> {
    const plan = { scale, to: Math.max(to, scale.replicas - ROUND_MAX), withBusy: this.#vain >= VAIN_MAX };
    this.#scaleIn = await ScaleIn.begin(this.#forScaleIn, plan);
    if (this.#scaleIn !== undefined) return;
    this.#status += "; no pod may go now: a rollout is under way, or all have orders";
    this.#later();
  }

  async #goOn(scaleIn: ScaleIn, target: number, required: number | undefined): Promise<void> {
    const { emit } = this.#options;
    if (!scaleIn.isRemoving && target > scaleIn.to) return this.#cancel();
    const removal = await scaleIn.step();
    if (removal !== undefined) {
      const { scale, idle, busy } = removal;
      const { deployment } = scale;
      const from = this.#scale?.replicas ?? scale.replicas;
      this.#scale = scale;
      this.#vain = 0;
      this.#later();
      emit("scale.down", { deployment, from, to: scale.replicas, required: required ?? 0, idle, busy });
      this.#tell("ScaledDown", `from ${from} to ${scale.replicas}: the work requires ${required ?? 0}`);
    }
    if (!scaleIn.isOver) return;
    this.#scaleIn = undefined;
    if (scaleIn.hasRemoved) return;
    this.#vain++;
    this.#later();
  }

  /** The next step down, or the next try, in a while, so that busy pods can go on with their work. */
  #later(): void {
    if (this.#history) this.#history = shrank(this.#history, this.#options.clock.monotonic());
  }

  async #cancel(): Promise<void> {
    const scaleIn = this.#scaleIn;
    this.#scaleIn = undefined;
    if (scaleIn === undefined || scaleIn.isOver) return;
    this.#isRecovered = false; // should taking the marks away fail now
    await scaleIn.cancel();
    this.#isRecovered = true;
  }

  #tell(reason: "ScaledUp" | "ScaledDown", note: string): void {
    const about = { kind: "Deployment", name: this.#options.target.deployment, uid: this.#scale?.uid ?? "" } as const;
    this.#options.occurrences.tell({ reason, note, about });
  }

  get #forScaleIn(): ScaleInOptions {
    const { cluster, broker, tenure, clock, occurrences } = this.#options;
    return { cluster, broker, tenure, clock, failed: (error) => occurrences.failed(error) };
  }
}
