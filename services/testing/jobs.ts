// What becomes of the jobs of a bot under test: they run by themselves, when the test says so, or before their `enqueue`
// resolves. All three on the real scripts: jobs that wait for the test are stored and paused, as an operator pauses them.

import type { BrokerContext } from "../broker/connection.ts";
import { findDelivery } from "../broker/jobs.ts";
import { type Paused, pause as hold, resume } from "../broker/pauses.ts";
import { isKind, type Manifest } from "../handlers/manifest.ts";
import type { EnqueueOptions, Event, Job } from "../sdk/context.ts";
import { defineMiddleware, type EnqueueCall, type Meta, type Middleware } from "../sdk/middleware.ts";
import { queueName } from "../sdk/place.ts";
import type { Emit, EventFields } from "../telemetry/events.ts";
import { pause } from "./test-clock.ts";

/** `run`: by themselves. `fake`: at `bot.drain()`. `inline`: `await enqueue(…)` resolves when the job has run. */
export type JobsMode = "run" | "fake" | "inline";

/** What was enqueued or emitted, as middleware left it. */
export interface Enqueued {
  readonly kind: "job" | "event";
  /** Of the contract. */
  readonly name: string;
  /** Of an event its payload. */
  readonly input: unknown;
  readonly options: EnqueueOptions;
  readonly meta: Meta;
  /** Of an event one per route that hears of it. */
  readonly ids: readonly string[];
  /** The route that did it. */
  readonly from?: string;
}

export interface JobsParts {
  readonly broker: BrokerContext;
  readonly manifest: Manifest;
  readonly numbers: ReadonlyMap<string, number>;
}

interface Place {
  readonly queue: string;
  readonly what: Paused & { readonly kind: "route" };
}

/** Innermost: it sees what is written. */
const ORDER = 1e9;
const LOOK_MS = 2;
const INLINE_MS = 10_000;

export class TestJobs {
  /** Around every enqueue of the bot. */
  readonly middleware: Middleware;
  readonly #mode: JobsMode;
  readonly #all = new Map<string, Enqueued>();
  /** Where jobs are held. */
  readonly #places = new Map<string, Place>();
  /** Origins whose run failed: their next attempt comes later. */
  readonly #failed = new Set<string>();
  /** Routes that run for now; undefined: none. */
  #drained: { readonly only: string | undefined } | undefined;
  #parts: JobsParts | undefined;

  constructor(mode: JobsMode) {
    this.#mode = mode;
    this.middleware = defineMiddleware({
      name: "test-jobs",
      order: ORDER,
      enqueue: async (call, next) => {
        await this.#hold(call);
        const { ids } = await next();
        this.#note(call, ids);
        if (mode === "inline") await this.#ran(call, ids);
        return { ids };
      },
    });
  }

  readonly hear: Emit = (name, fields) => {
    if (name === "run.failed") this.#failed.add((fields as EventFields["run.failed"]).origin);
  };

  attach(parts: JobsParts): void {
    this.#parts = parts;
  }

  list(of?: Job | Event | string): Enqueued[] {
    const [kind, name] = typeof of === "string" ? [undefined, of] : [of?.kind, of?.name];
    return [...this.#all.values()].filter(
      (one) => (kind === undefined || one.kind === kind) && (name === undefined || one.name === name),
    );
  }

  /** Lets what is held run while `work` goes on, and what is enqueued meanwhile. */
  async draining(job: Job | string | undefined, work: () => Promise<void>): Promise<void> {
    const only = job === undefined ? undefined : this.#routeOf(typeof job === "string" ? job : job.name);
    if (job !== undefined && only === undefined) throw new TypeError("drain: the bot has no route for that job");
    this.#drained = { only };
    try {
      for (const place of this.#places.values()) if (this.#isDrained(place)) await this.#free(place);
      await work();
    } finally {
      this.#drained = undefined;
      for (const { queue, what } of this.#places.values()) await hold(this.#broker, queue, what);
    }
  }

  get #broker(): BrokerContext {
    if (this.#parts === undefined) throw new Error("the bot has not started");
    return this.#parts.broker;
  }

  /** The same enqueue of a second attempt is one. */
  #note({ kind, name, input, options, meta, from }: EnqueueCall, ids: readonly string[]): void {
    const id = ids[0] ?? `${kind} ${name} ${this.#all.size}`;
    const known = from === undefined ? {} : { from: from.route };
    if (!this.#all.has(id)) this.#all.set(id, { kind, name, input, options, meta, ids, ...known });
  }

  /** Before it is written, so that no worker is faster. */
  async #hold(call: EnqueueCall): Promise<void> {
    if (this.#mode !== "fake" || call.kind !== "job") return;
    const place = this.#placeOf(call);
    if (place === undefined) return;
    const name = `${place.queue}\n${place.what.route}`;
    if (this.#places.has(name)) return;
    this.#places.set(name, place);
    if (!this.#isDrained(place)) await hold(this.#broker, place.queue, place.what);
  }

  async #free({ queue, what }: Place): Promise<void> {
    await resume(this.#broker, queue, what);
  }

  #isDrained({ what }: Place): boolean {
    if (this.#drained === undefined) return false;
    const { only } = this.#drained;
    return only === undefined || this.#parts?.numbers.get(only) === what.route;
  }

  #placeOf({ name, options }: EnqueueCall): Place | undefined {
    const id = this.#routeOf(name);
    const route = id === undefined ? undefined : this.#parts?.manifest.route(id);
    const number = this.#parts?.numbers.get(id ?? "");
    if (route === undefined || number === undefined || !isKind(route, "job")) return undefined;
    const { queue, tag } = { ...route.shape.job, ...options };
    const given = { ...(queue === undefined ? {} : { queue }), ...(tag === undefined ? {} : { tag }) };
    return { queue: queueName(given), what: { kind: "route", route: number } };
  }

  /** By the job's name, or by the route's own id. */
  #routeOf(name: string): string | undefined {
    const manifest = this.#parts?.manifest;
    return manifest?.job(name)?.shape.id ?? manifest?.route(name)?.shape.id;
  }

  /** What failed, or waits for a time, for others or for the key of this very run would not run before it. */
  async #ran({ name, options, from }: EnqueueCall, ids: readonly string[]): Promise<void> {
    if (options.key !== undefined && options.key === from?.key) return;
    const deadline = performance.now() + INLINE_MS;
    for (const id of ids) {
      while (await this.#isGoing(id)) {
        if (performance.now() > deadline)
          throw new Error(`inline: ${name} has not run within ${INLINE_MS} ms. What does it wait for?`);
        await pause(LOOK_MS);
      }
    }
  }

  async #isGoing(id: string): Promise<boolean> {
    if (this.#failed.has(id)) return false;
    const found = await findDelivery(this.#broker, id);
    return found?.place === "waiting" || found?.place === "claimed";
  }
}
