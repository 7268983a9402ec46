// `antiphon/queue`: a producer and inspector for any Node program. It enqueues what handlers do, and sees and mends what
// waits, runs and failed. It runs nothing itself.

import type { BrokerContext } from "../broker/connection.ts";
import type { QueueDepth } from "../broker/inspect.ts";
import { cancelDelivery, type Edited } from "../broker/jobs.ts";
import { Producer, type QueueLimits } from "../broker/producer.ts";
import { closeRedis, databaseOf, openRedis, type RedisClient, type RedisState, unusable } from "../redis/connect.ts";
import { checkDurability, type Durability } from "../redis/durable.ts";
import { isName, Keys } from "../redis/keys.ts";
import { type Clock, type Random, systemClock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { withDeadline } from "../runtime/part.ts";
import type { EnqueueOptions } from "../sdk/context.ts";
import type { Duration } from "../sdk/duration.ts";
import type { In, Schema } from "../sdk/infer.ts";
import type { Middleware } from "../sdk/middleware.ts";
import { DeadLetters } from "./dead-letters.ts";
import { Directory } from "./directory.ts";
import { type Asked, type Batch, Enqueuing, type JobName, type Queued, type Step } from "./enqueuing.ts";
import { change, type Change, find, type When } from "./jobs.ts";
import type { Shown } from "./listed.ts";
import { type Page, type Search, search } from "./looking.ts";
import { type HistoryEntry, type Limits, type PauseWhat, type QueueInfo, Queues } from "./queues.ts";
import { awaitMs, Results } from "./results.ts";
import { Schedules } from "./schedules.ts";
import { Workers } from "./workers.ts";

export type { QueueDepth } from "../broker/inspect.ts";
export type { EnqueueOptions, Job } from "../sdk/context.ts";
export type { Acted, Chosen } from "./dead-letters.ts";
export type { Asked, Batch, JobName, Queued, Step } from "./enqueuing.ts";
export type { Change, When } from "./jobs.ts";
export type { Listed, ListedOne, Shown, State } from "./listed.ts";
export type { Filter, Page, Search } from "./looking.ts";
export type { HistoryEntry, Limits, PauseInfo, PauseWhat, QueueInfo } from "./queues.ts";
export type { NewSchedule, ScheduleChange, ScheduleInfo } from "../sdk/schedules.ts";
export type { WorkerInfo } from "./workers.ts";

export interface QueueOptions {
  /** As REDIS_URL. */
  readonly url: string;
  /** As ANTIPHON_NAMESPACE. Default: `antiphon`. */
  readonly namespace?: string;
  /** Shown by Redis' CLIENT LIST as `antiphon:<name>`. Default: `queue`. */
  readonly name?: string;
  /** Around every enqueue, as in a handlers folder; what they do around runs is left to the workers. */
  readonly middleware?: readonly Middleware[];
  /** A queue with more answers QUEUE_FULL, as ANTIPHON_QUEUE_LIMIT and ANTIPHON_QUEUE_BYTES. */
  readonly limits?: QueueLimits;
  /** As ANTIPHON_DURABILITY. */
  readonly durability?: Durability;
  /** Names the span of your program that enqueues, as W3C's headers: the run then belongs to its trace. */
  readonly trace?: () => { readonly traceparent: string; readonly tracestate?: string } | undefined;
  /** Told at every change of the connection. */
  readonly onState?: (state: RedisState, detail?: string) => void;
}

/** What a Queue is made of; `openQueue` makes it. */
export interface QueueParts extends BrokerContext {
  readonly subscriber: () => RedisClient;
  readonly middleware: readonly Middleware[];
  readonly trace?: QueueOptions["trace"] | undefined;
  readonly limits: QueueLimits;
  readonly clock: Clock;
  readonly random: Random;
}

export const DEFAULT_LIMITS: QueueLimits = { deliveries: 1_000_000, bytes: 1024 ** 3 };
const CONNECT_MS = 5000;

/**
 * @throws AntiphonError CONFIG_INVALID, DURABILITY_UNSUPPORTED, REDIS_UNAVAILABLE when Redis does not answer within 5 s,
 * REDIS_UNFIT when it does not let us in
 */
export async function openQueue(options: QueueOptions): Promise<Queue> {
  const { url, namespace = "antiphon", name = "queue", middleware = [], limits = DEFAULT_LIMITS, onState } = options;
  const { durability = "default", trace } = options;
  if (!isName(namespace)) throw new AntiphonError("CONFIG_INVALID", `"${namespace}" cannot be a namespace.`);
  const client = openRedis({ url, name, purpose: "commands", onState: (state, detail) => onState?.(state, detail) });
  const open: RedisClient[] = [client];
  const subscriber = (): RedisClient => {
    const another = openRedis({ url, name: `${name}-results`, purpose: "subscriber", onState: () => {} });
    open.push(another);
    return another;
  };
  const keys = new Keys(namespace, databaseOf(url));
  const stopping = AbortSignal.timeout(CONNECT_MS);
  const around = { clock: systemClock, random: Math.random, stopping };
  try {
    await withDeadline(client.ping(), CONNECT_MS, "Redis");
    await checkDurability(client, { level: durability, key: keys.proof() }, around);
  } catch (error) {
    const problem = error instanceof AntiphonError ? error : await unusable(client, error);
    await closeRedis(client);
    throw problem;
  }
  const parts = {
    client,
    keys,
    subscriber,
    middleware,
    trace,
    limits,
    durability,
    clock: systemClock,
    random: Math.random,
  };
  return new Queue(parts, async () => {
    for (const connection of open) await closeRedis(connection);
  });
}

const RESULT_WAIT: Duration = "1m";

export class Queue {
  /** What failed for good. */
  readonly dead: DeadLetters;
  readonly workers: Workers;
  /** What runs at set times. */
  readonly schedules: Schedules;
  readonly #context: BrokerContext;
  readonly #enqueuing: Enqueuing;
  readonly #queues: Queues;
  readonly #results: Results;
  readonly #disconnect: () => Promise<void>;

  constructor(parts: QueueParts, disconnect: () => Promise<void>) {
    const { clock } = parts;
    const directory = new Directory(parts, clock);
    this.#context = parts;
    this.#disconnect = disconnect;
    const producer = new Producer(parts);
    this.#enqueuing = new Enqueuing({ ...parts, directory, producer });
    this.schedules = new Schedules({ ...parts, directory, producer });
    this.#queues = new Queues(parts, directory);
    this.#results = new Results(parts);
    this.dead = new DeadLetters(parts);
    this.workers = new Workers(parts);
  }

  /**
   * Resolves once the job is in Redis; from then on it will run. `job` is the contract, its name, or the id of its route.
   * @throws AntiphonError ROUTE_UNKNOWN, INPUT_INVALID, VALUE_NOT_JSON, VALUE_TOO_LARGE, OPTIONS_INVALID, QUEUE_FULL,
   * REDIS_UNAVAILABLE
   */
  enqueue<S extends Schema>(job: JobName<S>, input: In<S>, options: EnqueueOptions = {}): Promise<Queued> {
    return this.#enqueuing.one({ job, input, options });
  }

  /** One script per five hundred. Everything is checked before the first is written. `options` may depend on the input. */
  enqueueAll<S extends Schema>(
    job: JobName<S>,
    inputs: readonly In<S>[],
    options: EnqueueOptions | ((input: In<S>, index: number) => EnqueueOptions) = {},
  ): Promise<Queued[]> {
    const optionsOf = typeof options === "function" ? options : () => options;
    return this.#enqueuing.all(inputs.map((input, index) => ({ job, input, options: optionsOf(input, index) })));
  }

  /** `last` runs when all members, at most 5,000, have finished or were cancelled; a dead one is waited for. `id` is its id. */
  batch<const S extends readonly Schema[], L extends Schema>(
    members: { readonly [N in keyof S]: Asked<S[N]> },
    last: Asked<L>,
  ): Promise<Batch> {
    return this.#enqueuing.batch(members, last);
  }

  /** Jobs that wait for each other by the names they have here. @throws AntiphonError DEPENDENCY_CYCLE with its path */
  enqueueFlow<const S extends Step>(steps: readonly S[]): Promise<Record<S["name"], Queued>> {
    return this.#enqueuing.flow(steps);
  }

  /**
   * What a job that was enqueued with `result` returned.
   * @throws AntiphonError JOB_DEAD with its reason, RESULT_LATE after `timeout` (default 1 min), RESULT_MISSING
   */
  async result(id: string, { timeout = RESULT_WAIT }: { readonly timeout?: Duration } = {}): Promise<unknown> {
    return this.#results.await(id, awaitMs(timeout));
  }

  /** Undefined when there is no such delivery, or no more: what has finished is in the history. */
  find(id: string): Promise<Shown | undefined> {
    return find(this.#context, id);
  }

  /** What `ctx.progress` of an unfinished job said last. */
  async progress(id: string): Promise<unknown> {
    return (await this.find(id))?.progress;
  }

  /** A bounded amount of work per call: while there is a `cursor` there may be more, also when a page is empty. */
  search(wanted: Search = {}): Promise<Page> {
    return search(this.#context, wanted);
  }

  /** `signalled`: it runs, and is ended. `dead`: see `dead.purge`. */
  cancel(id: string): Promise<"cancelled" | "signalled" | "dead" | "unknown"> {
    return cancelDelivery(this.#context, id);
  }

  /** Of what nobody runs: its input, its class or its time. */
  edit(id: string, wanted: Change): Promise<Edited> {
    return change(this.#context, id, wanted);
  }

  /** Earlier or later; a keyed one rejoins its key at the end. */
  reschedule(id: string, when: When): Promise<Edited> {
    return change(this.#context, id, when);
  }

  /** A dead letter runs again. Answers whether there was one. */
  async retry(id: string): Promise<boolean> {
    return (await this.dead.retry(id)).count > 0;
  }

  /** Of all queues. */
  depths(): Promise<QueueDepth[]> {
    return this.#queues.depths();
  }

  depth(queue = "default"): Promise<QueueDepth> {
    return this.#queues.depth(queue);
  }

  /** With its workers, pauses and limits. */
  show(queue: string): Promise<QueueInfo> {
    return this.#queues.show(queue);
  }

  /** What came of the last runs, the newest first. */
  history(queue = "default", options: { readonly limit?: number } = {}): Promise<HistoryEntry[]> {
    return this.#queues.history(queue, options);
  }

  /** All of the queue, one of its routes, or one ordering key: nothing new of it begins. */
  pause(queue: string, what: PauseWhat = {}): Promise<void> {
    return this.#queues.pause(queue, what);
  }

  resume(queue: string, what: PauseWhat = {}): Promise<void> {
    return this.#queues.resume(queue, what);
  }

  /** Over all workers. Null takes them away. */
  limit(queue: string, limits: Limits | null): Promise<void> {
    return this.#queues.limit(queue, limits);
  }

  /** Ends what is awaited and closes the connections. */
  async close(): Promise<void> {
    await this.#results.close();
    await this.#disconnect();
  }
}
