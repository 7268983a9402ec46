// Fires schedules: each slot becomes one delivery. What was missed while nobody led is made up for as the schedule says.
// Only the server's clock decides what is due, so a master whose own clock is wrong fires at the right times.

import type { BrokerContext } from "../broker/connection.ts";
import { type DueSlot, fire, lookAtSchedules, syncSchedules } from "../broker/cron.ts";
import { encodeEnvelope } from "../broker/delivery.ts";
import type { NewDelivery } from "../broker/producer.ts";
import { registerRoutes } from "../broker/routes.ts";
import { readEdits } from "../broker/schedules.ts";
import type { Tenure } from "../leader/duty.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { Loop } from "../runtime/loop.ts";
import { carried } from "../telemetry/carrier.ts";
import type { Emit } from "../telemetry/events.ts";
import { startSend } from "../telemetry/queue-spans.ts";
import { during, type Span, type Tracing } from "../telemetry/tracing.ts";
import { dueSlots, slotAfter, SLOTS_MAX } from "./slots.ts";
import { beginningOf, type Entry, timetable, type TimedRoute } from "./timetable.ts";

export interface SchedulerOptions {
  readonly broker: BrokerContext;
  readonly routes: readonly TimedRoute[];
  readonly tenure: Tenure;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
  readonly tracing?: Tracing | undefined;
}

const LOOK_MS = 1_000;
const SOON_MS = 10;
const REFUSED_MS = 250;
const LOOK_MAX = 100;
/** With `misfire: "skip"`: a slot that is later than this was missed. Longer than a change of leaders takes. */
const LATE_MS = 10_000;
/** How long at most an unfinished run keeps later slots from being run. */
const OVERLAP_MS = 7 * 86_400_000;

/** What is in force, as of one version of the edits. */
interface Plan {
  readonly version: string;
  readonly entries: ReadonlyMap<string, Entry>;
  readonly numbers: ReadonlyMap<string, number>;
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #loop: Loop;
  #plan: Plan | undefined;
  #pauseMs = 0;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#loop = new Loop({
      name: "scheduler",
      intervalMs: () => this.#pauseMs,
      tick: () => this.#tick(),
      onError: (error) => options.emit("loop.failed", { loop: "scheduler", error }),
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
    this.#pauseMs = LOOK_MS;
    const { broker, tenure } = this.#options;
    if (!tenure.held()) return;
    const { nowMs, version, slots } = await lookAtSchedules(broker, LOOK_MAX);
    if (this.#plan?.version !== version) {
      this.#plan = await this.#sync(nowMs);
      this.#pauseMs = SOON_MS;
      return;
    }
    const due = slots.filter((slot) => slot.slotMs <= nowMs);
    let refused = false;
    for (const slot of due) refused = !(await this.#fireDue(this.#plan, slot, nowMs)) || refused;
    const nextMs = (slots[0]?.slotMs ?? Number.POSITIVE_INFINITY) - nowMs;
    // Refused: somebody edited a schedule meanwhile, or a handler of another revision has the slot.
    if (refused) this.#pauseMs = REFUSED_MS;
    else this.#pauseMs = due.length > 0 ? SOON_MS : Math.min(Math.max(nextMs, SOON_MS), LOOK_MS);
  }

  /** Makes the stored schedules those of the handlers that are loaded here, as they are edited. */
  async #sync(nowMs: number): Promise<Plan | undefined> {
    const { broker, routes, emit } = this.#options;
    const { version, edits } = await readEdits(broker);
    const { entries, invalid } = timetable(routes, edits);
    for (const { id, problem } of invalid) emit("cron.invalid", { route: id, problem });
    const schedules = entries.map((entry) => {
      const { id, isPaused, ...description } = entry;
      const nextMs = isPaused ? undefined : slotAfter(entry.times, nowMs);
      return { id, definition: beginningOf(entry), description, nextMs };
    });
    if (!(await syncSchedules(broker, version, schedules))) return undefined;
    const numbers = await registerRoutes(broker, [...new Set(entries.map(({ route }) => route))]);
    return { version, entries: new Map(entries.map((entry) => [entry.id, entry])), numbers };
  }

  /** False when the slot is not ours to fire now. */
  async #fireDue(plan: Plan, slot: DueSlot, nowMs: number): Promise<boolean> {
    const entry = plan.entries.get(slot.id);
    if (!entry) return false;
    const { slots, nextMs } = dueSlots(entry.times, slot.slotMs, nowMs);
    const latestMs = slots.at(-1) ?? slots[0];
    const fireOne = (fired: Step): Promise<boolean> => this.#fire(plan, entry, fired);
    if (entry.misfire === "all") return this.#fireAll(entry, { slot, slots, nextMs }, fireOne);
    const isMissed = entry.misfire === "skip" && nowMs - latestMs > LATE_MS;
    const isOurs = await fireOne({ slot, runMs: isMissed ? undefined : latestMs, nextMs });
    if (isOurs) this.#missed(entry, isMissed ? slots.length : slots.length - 1);
    return isOurs;
  }

  /** One after another, so that whoever leads next goes on after the last one. */
  async #fireAll(
    entry: Entry,
    { slot, slots, nextMs }: { slot: DueSlot; slots: readonly number[]; nextMs: number | undefined },
    fireOne: (step: Step) => Promise<boolean>,
  ): Promise<boolean> {
    let from = slot;
    for (const [at, runMs] of slots.entries()) {
      const followingMs = slots[at + 1] ?? nextMs;
      if (!(await fireOne({ slot: from, runMs, nextMs: followingMs }))) return false;
      from = { id: slot.id, slotMs: followingMs ?? 0 };
    }
    // There were more than can be made up for; how many more nobody counts.
    if (slots.length === SLOTS_MAX && slots[0] !== slot.slotMs) this.#missed(entry, 1);
    return true;
  }

  async #fire(plan: Plan, entry: Entry, { slot, runMs, nextMs }: Step): Promise<boolean> {
    const { broker, emit, tracing } = this.#options;
    const { version } = plan;
    const { id, queue, route, job } = entry;
    const about = { route, kind: job ? "job" : "cron", parent: null };
    const span = runMs === undefined ? undefined : tracing && startSend(tracing, queue, about);
    const delivery = runMs === undefined ? {} : { delivery: this.#deliveryOf(plan, entry, { slotMs: runMs, span }) };
    const fired = await during(span, () => fire(broker, { version, slot, nextMs, queue, ...delivery }));
    if (fired === null) return false;
    if (runMs !== undefined) emit(fired.duplicate ? "cron.overlapped" : "cron.fired", { route: id, slot: runMs });
    return true;
  }

  /** Its run is no part of a trace, whatever kind of route it is: a schedule has no end. */
  #deliveryOf(plan: Plan, entry: Entry, { slotMs, span }: { slotMs: number; span: Span | undefined }): NewDelivery {
    const { id, route, overlap, job, class: priority } = entry;
    const head = { v: 1, route, ...carried(span, true) } as const;
    const envelope = job
      ? encodeEnvelope({ ...head, kind: "job" }, job.input)
      : encodeEnvelope({ ...head, kind: "cron" }, JSON.stringify({ slot: slotMs }));
    return {
      route: plan.numbers.get(route) ?? 0,
      envelope,
      ...(priority !== undefined && { class: priority }),
      ...(overlap === "skip" && { uid: { id: `cron:${id}`, ttlMs: OVERLAP_MS, until: "end" } }),
    };
  }

  #missed({ id }: Entry, slots: number): void {
    if (slots > 0) this.#options.emit("cron.missed", { route: id, slots });
  }
}

/** From the slot that is stored to the next one. */
interface Step {
  readonly slot: DueSlot;
  /** The slot that is run; undefined: none is. */
  readonly runMs: number | undefined;
  readonly nextMs: number | undefined;
}
