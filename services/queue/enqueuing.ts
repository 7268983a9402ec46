// From what a program asks for to deliveries in Redis: names, schemas, options and middleware first, then the write.

import { encodeEnvelope, type EnvelopeHeader } from "../broker/delivery.ts";
import type { Enqueued, NewDelivery, Producer } from "../broker/producer.ts";
import type { Random } from "../runtime/clock.ts";
import { AntiphonError, hasCode } from "../runtime/errors.ts";
import { throughLayers } from "../runtime/layers.ts";
import type { EnqueueOptions, Job } from "../sdk/context.ts";
import { prepareJob } from "../sdk/prepare.ts";
import type { In, Schema } from "../sdk/infer.ts";
import { enqueueLayers, type EnqueueLayer, NO_META, prepareMeta } from "../sdk/enqueue-layers.ts";
import type { EnqueueCall, EnqueuedIds, Middleware } from "../sdk/middleware.ts";
import { carried, type Carrier, carrierOf } from "../telemetry/carrier.ts";
import type { Directory } from "./directory.ts";
import { type Named, wavesOf } from "./flow.ts";

export interface Queued {
  /** The origin id, which retries and reschedules keep. */
  readonly id: string;
  /** It was enqueued before under this `unique`: the id is the first one's. */
  readonly duplicate: boolean;
}

/** A contract, or the id of a route such as `reports.make`, whose worker then checks the input. */
export type JobName<S extends Schema = Schema> = Job<S> | string;

export interface Asked<S extends Schema = Schema> {
  readonly job: JobName<S>;
  readonly input: In<S>;
  readonly options?: EnqueueOptions;
}

/** One job of a flow. */
export interface Step<S extends Schema = Schema> extends Asked<S>, Named {}

export interface Batch {
  /** Of the last one. */
  readonly id: string;
  readonly members: readonly string[];
}

export interface EnqueuingParts {
  readonly producer: Producer;
  readonly directory: Directory;
  readonly middleware: readonly Middleware[];
  /** Of the caller's span. */
  readonly trace?: (() => Partial<Carrier> | undefined) | undefined;
  readonly random: Random;
}

interface Ready {
  readonly queue: string;
  readonly delivery: NewDelivery;
}

/** So many are prepared and written at a time. */
const CHUNK = 5000;
const PROBLEMS_MAX = 10;
/** What one delivery may wait for. */
const MEMBERS_MAX = 5000;

export class Enqueuing {
  readonly #parts: EnqueuingParts;
  readonly #layers: readonly EnqueueLayer[];

  constructor(parts: EnqueuingParts) {
    this.#parts = parts;
    this.#layers = enqueueLayers(parts.middleware);
  }

  async one(asked: Asked): Promise<Queued> {
    const { job, input, options = {} } = asked;
    let queued: Queued | undefined;
    const core = async (call: EnqueueCall): Promise<EnqueuedIds> => {
      const { queue, delivery } = await this.#ready(job, call);
      queued = queuedOf(await this.#parts.producer.enqueue(queue, delivery));
      return { ids: [queued.id] };
    };
    await throughLayers({ layers: this.#layers, core }, callOf({ job, input, options }));
    if (queued !== undefined) return queued;
    const names = this.#layers.map(({ name }) => name).join(", ");
    throw new AntiphonError("MIDDLEWARE_FAILED", `job ${nameOf(job)}: one of ${names} did not call next().`);
  }

  /** Without middleware everything is checked before the first is written. */
  async all(asked: readonly Asked[]): Promise<Queued[]> {
    const queued: Queued[] = [];
    const isPlain = this.#layers.length === 0;
    const ready = isPlain ? await this.#readyAll(asked) : [];
    for (let at = 0; at < asked.length; at += CHUNK) {
      const chunk = isPlain
        ? ready.slice(at, at + CHUNK).map(({ queue, delivery }) => this.#parts.producer.enqueue(queue, delivery))
        : asked.slice(at, at + CHUNK).map((one) => this.one(one));
      queued.push(...(await Promise.all<Queued>(chunk)).map(queuedOf));
    }
    return queued;
  }

  /** The members first: what waits for them must know their ids. */
  async batch(members: readonly Asked[], last: Asked): Promise<Batch> {
    if (members.length > MEMBERS_MAX)
      throw new AntiphonError("OPTIONS_INVALID", `A batch may have ${MEMBERS_MAX} members, not ${members.length}.`);
    await this.#readyAll([...members, last]);
    const queued = await this.all(members);
    const { id } = await this.one(afterIds(last, queued));
    return { id, members: queued.map((member) => member.id) };
  }

  async flow<S extends Step>(steps: readonly S[]): Promise<Record<S["name"], Queued>> {
    const byName = new Map<string, Queued>();
    const waves = wavesOf(steps);
    for (const { name, after = [], options = {} } of steps)
      if (after.length + (options.after?.length ?? 0) > MEMBERS_MAX)
        throw new AntiphonError("OPTIONS_INVALID", `${name} waits for more than ${MEMBERS_MAX} others.`);
    await this.#readyAll(steps);
    for (const wave of waves) {
      const asked = wave.map((step) => {
        const before = (step.after ?? []).flatMap((name) => byName.get(name) ?? []);
        return afterIds(step, before);
      });
      const queued = await this.all(asked);
      for (const [index, { name }] of wave.entries()) byName.set(name, queued[index] as Queued);
    }
    return Object.fromEntries(byName) as Record<S["name"], Queued>;
  }

  /** Throws what is wrong with any of them. */
  async #readyAll(asked: readonly Asked[]): Promise<Ready[]> {
    const ready: Ready[] = [];
    const problems: string[] = [];
    let first: AntiphonError | undefined;
    for (const [index, { job, input, options = {} }] of asked.entries()) {
      try {
        ready.push(await this.#ready(job, callOf({ job, input, options }), asked.length > 1));
      } catch (error) {
        if (!(error instanceof AntiphonError) || hasCode(error, "REDIS_UNAVAILABLE")) throw error;
        first ??= error;
        if (problems.length < PROBLEMS_MAX) problems.push(`Number ${index + 1}: ${error.message}`);
      }
    }
    if (first !== undefined) throw new AntiphonError(first.code, problems.join(" "));
    return ready;
  }

  /** What is enqueued with many others is only linked to the caller's span. */
  async #ready(job: JobName, call: EnqueueCall, isOneOfMany = false): Promise<Ready> {
    const { input, options } = call;
    const { directory, random, trace } = this.#parts;
    const from = trace?.();
    const { job: contract, route } = await directory.find(job);
    const prepared = await prepareJob({ job: contract, input, options, random });
    if (!prepared.ok) throw new AntiphonError(prepared.code, prepared.detail);
    const { queue, delivery, header: said, payload } = prepared.value;
    const meta = prepareMeta(call);
    if (!meta.ok) throw new AntiphonError(meta.code, meta.detail);
    const given = meta.value === undefined ? {} : { meta: meta.value };
    const carrier = from && carrierOf(from.traceparent, from.tracestate);
    const span = carrier && carried({ carrier }, isOneOfMany);
    const header: EnvelopeHeader = { v: 1, kind: "job", route: route.id, ...said, ...given, ...span };
    return { queue, delivery: { ...delivery, route: route.number, envelope: encodeEnvelope(header, payload) } };
  }
}

function nameOf(job: JobName): string {
  return typeof job === "string" ? job : job.name;
}

function callOf({ job, input, options }: Required<Asked>): EnqueueCall {
  return { kind: "job", name: nameOf(job), input, options, meta: NO_META };
}

function queuedOf({ id, duplicate }: Enqueued): Queued {
  return { id, duplicate };
}

function afterIds(asked: Asked, before: readonly Queued[]): Asked {
  const { job, input, options = {} } = asked;
  const after = [...(options.after ?? []), ...before.map(({ id }) => id)];
  return { job, input, options: after.length === 0 ? options : { ...options, after } };
}
