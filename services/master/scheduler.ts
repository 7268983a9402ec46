// Fires cron and every routes: each slot becomes one delivery. Slots missed while nobody led become one run, of the latest.

import type { BrokerContext } from "../broker/connection.ts";
import { type DueSlot, fire, nextSlots, type Schedule, syncSchedules } from "../broker/cron.ts";
import { encodeEnvelope } from "../broker/delivery.ts";
import { registerRoutes } from "../broker/routes.ts";
import type { Tenure } from "../leader/leader.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { Loop } from "../runtime/loop.ts";
import type { Emit } from "../telemetry/events.ts";
import { definitionOf, dueSlots, slotAfter, type TimedRoute } from "./slots.ts";

export interface SchedulerOptions {
  readonly broker: BrokerContext;
  readonly routes: readonly TimedRoute[];
  readonly tenure: Tenure;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
}

const QUEUE = "default";
const LOOK_MS = 1_000;
const REFUSED_MS = 250;
const SLOTS_MAX = 100;
/** A schedule that will never come due again. */
const NEVER_MS = 8_640_000_000_000_000;

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #routes: ReadonlyMap<string, TimedRoute>;
  readonly #loop: Loop;
  #numbers: ReadonlyMap<string, number> | undefined;
  #nextMs = 0;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#routes = new Map(options.routes.map((route) => [route.id, route]));
    this.#loop = new Loop({
      name: "scheduler",
      intervalMs: () => Math.min(Math.max(this.#nextMs - options.clock.now(), 10), LOOK_MS),
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
    const { broker, tenure, clock } = this.#options;
    if (!tenure.held()) return;
    this.#numbers ??= await this.#sync();
    const slots = await nextSlots(broker, QUEUE, SLOTS_MAX);
    const due = slots.filter((slot) => slot.slotMs <= clock.now());
    let refused = false;
    for (const slot of due) refused = !(await this.#fire(slot)) || refused;
    // Refused: the server's clock is behind ours, or a handler of another revision has the slot.
    if (refused) this.#nextMs = clock.now() + REFUSED_MS;
    else this.#nextMs = due.length > 0 ? 0 : (slots[0]?.slotMs ?? NEVER_MS);
  }

  /** Makes the stored schedules those of the handlers that are loaded here. */
  async #sync(): Promise<Map<string, number>> {
    const { broker, clock } = this.#options;
    const now = clock.now();
    const schedules: Schedule[] = [...this.#routes.values()].map((route) => ({
      id: route.id,
      definition: definitionOf(route),
      nextMs: slotAfter(route, now) ?? NEVER_MS,
    }));
    await syncSchedules(broker, QUEUE, schedules);
    return registerRoutes(broker, [...this.#routes.keys()]);
  }

  async #fire(slot: DueSlot): Promise<boolean> {
    const { broker, clock, emit } = this.#options;
    const route = this.#routes.get(slot.id);
    const number = this.#numbers?.get(slot.id);
    if (!route || number === undefined) return false;
    const { latestMs, slots, nextMs = NEVER_MS } = dueSlots(route, slot.slotMs, clock.now());
    const header = { v: 1, kind: "cron", at: clock.now(), route: route.id } as const;
    const envelope = encodeEnvelope(header, JSON.stringify({ slot: latestMs }));
    const id = await fire(broker, { queue: QUEUE, slot, nextMs, delivery: { route: number, envelope } });
    if (id === null) return false;
    if (slots > 1) emit("cron.missed", { route: route.id, slots: slots - 1 });
    emit("cron.fired", { route: route.id, slot: latestMs });
    return true;
  }
}
