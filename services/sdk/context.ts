// What a handler is given: one ctx per run. Everything that it writes is durable when its promise resolves, unless said otherwise.

import type { Duration } from "./duration.ts";
import type { In, Out, Schema } from "./infer.ts";
import type { Message, Room } from "./message.ts";
import type { Jobs, QueueControls } from "./operations.ts";
import type { ScheduleControls } from "./schedules.ts";
import type { PlaceOptions, PriorityClass } from "./place.ts";

/** Something to be done, by whichever worker. A contract value: export it, import it where work is enqueued. */
export interface Job<S extends Schema = Schema> {
  readonly kind: "job";
  readonly name: string;
  readonly input: S;
  /** Where its deliveries wait, unless an enqueue says otherwise. */
  readonly queue?: string;
  readonly tag?: string;
  readonly class?: PriorityClass;
}

/** Something that happened; every handler with `r.on` hears of it. */
export interface Event<S extends Schema = Schema> {
  readonly kind: "event";
  readonly name: string;
  readonly payload: S;
}

export interface Sent {
  /** The Action's id: `edit` and `react` take it, in any process and at any time. */
  readonly ref: string;
}

export interface Queued {
  /** The origin id, which retries and reschedules keep. */
  readonly id: string;
}

/** An `id` of your own replaces the content in the effect's id: other words under the same id are not said again. */
export interface Id {
  readonly id?: string;
}

/** Whom a bus message is for, and what its channel keeps. Without ids it is for everybody who may read the channel. */
export interface PublishOptions extends Id {
  readonly userIds?: readonly (string | number)[];
  readonly groupIds?: readonly (string | number)[];
  readonly clientIds?: readonly (string | number)[];
  /** Of several tenants. */
  readonly site?: string;
  /** What the channel keeps from now on. Default: 1000 messages, for 7 days from the last one on. */
  readonly maxMessages?: number;
  readonly maxAge?: Duration;
}

/** From then on, or so long after it was asked for, it is not done any more. Default: after a day. */
export interface Expires {
  readonly expires?: Duration | Date;
}

export interface SayOptions extends Id, Expires {
  /** What to do when a crash leaves it unclear whether the service has the words: say them again (default) or not. */
  readonly inDoubt?: "retry" | "drop";
}

/** Of deliveries of one id only one counts: a later one is given the first one's id. */
export interface Unique {
  /** Per job. */
  readonly id: string;
  /** Default: a day; with `until`, at most 30 days. */
  readonly for?: Duration;
  /** Until a worker takes the first one, or until it has ended, in place of a time. */
  readonly until?: "start" | "end";
  /** What becomes of a first one that nobody has taken: it stays (default), gets the new input, or that and the new time. */
  readonly repeat?: "keep" | "replace" | "debounce";
}

export interface EnqueueOptions extends Id, PlaceOptions {
  /** Ordering key: deliveries of one key run one at a time, in order, over all workers. */
  readonly key?: string;
  /** At most so many of the key at a time, in no order. */
  readonly lanes?: number;
  readonly delay?: Duration;
  /** In place of `delay`. */
  readonly at?: Date;
  /** From then on, or so long after the enqueue, it is not begun any more. */
  readonly expires?: Duration | Date;
  /** The same as `unique: { id, for: "1d" }`. */
  readonly uid?: string;
  readonly unique?: Unique;
  /** Ids of deliveries that must have finished, or been cancelled, before it runs. */
  readonly after?: readonly string[];
  /** How long what the handler returns is kept, for whoever awaits it. */
  readonly result?: Duration;
  /** Labels to find it by. */
  readonly tags?: readonly string[];
  /** What its promise waits for: Redis' reply, one replica, or the disk. Default: what ANTIPHON_DURABILITY says. */
  readonly durability?: "default" | "replica" | "fsync";
}

/** One job to be enqueued. */
export interface ToEnqueue<S extends Schema = Schema> {
  readonly job: Job<S>;
  readonly input: In<S>;
  readonly options?: EnqueueOptions;
}

/** The members of a batch, each with the input of its own job. */
export type Members<S extends readonly Schema[]> = { readonly [N in keyof S]: ToEnqueue<S[N]> };

export interface Log {
  debug(text: string, fields?: Readonly<Record<string, unknown>>): void;
  info(text: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(text: string, fields?: Readonly<Record<string, unknown>>): void;
  error(text: string, fields?: Readonly<Record<string, unknown>>): void;
}

export type MetricLabels = Readonly<Record<string, string | number | boolean>>;

/**
 * Numbers for `/metrics`, as `antiphon_handler_<handler>_<name>`. Of each metric a process tells at most 100 series (of labels'
 * values); more are dropped and counted. Runs that are repeated tell again. @throws OPTIONS_INVALID where a name, label or type
 * is not as it must be
 */
export interface Metrics {
  /** Adds to a counter: `count("shipped", { app })`. */
  count(name: string, labels?: MetricLabels, by?: number): void;
  /** Says how much there is now. Of several threads the last word counts. */
  gauge(name: string, value: number, labels?: MetricLabels): void;
  /** One of many values of which one wants to know the distribution, such as seconds. */
  observe(name: string, value: number, labels?: MetricLabels): void;
}

/** The handler's own JSON values, shared by all processes. */
export interface Store {
  get(key: string): Promise<unknown>;
  /** Checked on read; a value that does not fit fails the run. */
  get<S extends Schema>(key: string, schema: S): Promise<Out<S> | undefined>;
  /** Buffered: this run reads it at once, all others when the run has succeeded. */
  set(key: string, value: unknown): void;
  delete(key: string): void;
}

/** Of a span: at most 32 of them. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface Bot {
  readonly name: string;
  readonly alias: string;
  readonly version: string;
  readonly adapters: readonly string[];
  readonly handlers: readonly string[];
}

/** The route that runs. */
export interface RouteInfo {
  /** `<handler>.<key>`. */
  readonly id: string;
  readonly handler: string;
  readonly kind: "command" | "hear" | "fallback" | "http" | "job" | "event" | "cron" | "every";
  /** What its option `meta` says, for middleware. */
  readonly meta: Readonly<Record<string, unknown>>;
}

/** What runs, as the broker knows it. */
export interface DeliveryInfo {
  /** The origin id: what the sender was told. Retries keep it. */
  readonly id: string;
  readonly kind: "message" | "webhook" | "event" | "job" | "cron";
  readonly queue: string;
  /** The ordering key, where it has one. */
  readonly key?: string;
  /** What middleware around its enqueue gave it. */
  readonly meta: Readonly<Record<string, string>>;
}

/** Every run of every route. */
export interface Ctx<C = unknown> {
  readonly config: C;
  /** Aborts when the route's timeout is over or the process drains. */
  readonly signal: AbortSignal;
  /** 1 in the first run; counts failures of the handler only, not lost processes. */
  readonly attempt: number;
  /** Equal in all attempts of this delivery, different between deliveries: give it to outside systems. */
  readonly idempotencyKey: string;
  /** Grows with each time that the delivery is taken: an outside system that refuses a smaller one than it saw refuses zombies. */
  readonly fence: number;
  readonly route: RouteInfo;
  readonly delivery: DeliveryInfo;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly store: Store;
  readonly bot: Bot;
  /** What else waits, runs or failed: to find it, cancel it, change it, run it again. */
  readonly jobs: Jobs;
  /** Pauses and limits of whole queues. */
  readonly queues: QueueControls;
  /** What comes due again and again: to pause it, change its times, run it now, add to it. */
  readonly schedules: ScheduleControls;
  /**
   * Runs `fn` and remembers its result (JSON), so that a retry or the run after a crash gets it back without `fn`. It runs
   * again only if the process died between its end and the record: give outside systems `${idempotencyKey}:${name}`.
   * A step that throws is not remembered. Names are unique within a run. @throws INPUT_INVALID, VALUE_TOO_LARGE, CLAIM_LOST
   */
  step<T>(name: string, fn: () => T | Promise<T>): Promise<T>;
  /**
   * Runs `fn` as a part of this run's trace; what it enqueues, says and fetches is below it. Without traces it only runs `fn`.
   * A name such as `render`, not with ids in it: those are attributes.
   */
  span<T>(name: string, fn: () => T | Promise<T>, attributes?: SpanAttributes): Promise<T>;
  enqueue<S extends Schema>(job: Job<S>, input: In<S>, options?: EnqueueOptions): Promise<Queued>;
  /** As `enqueue` for each, in order, in few round trips. Nothing is enqueued when something is wrong with one of them. */
  enqueueAll<S extends Schema>(
    job: Job<S>,
    inputs: readonly In<S>[],
    options?: EnqueueOptions,
  ): Promise<readonly Queued[]>;
  /** Enqueues the members, at most 5,000, and then `last`, which runs when all of them have finished. Its id is `id`. */
  batch<const S extends readonly Schema[], L extends Schema>(
    members: Members<S>,
    last: ToEnqueue<L>,
  ): Promise<Queued & { readonly members: readonly string[] }>;
  /** How far it is: JSON of at most 4 KiB. Written at most twice a second, of several values the last one. */
  progress(value: unknown): void;
  emit<S extends Schema>(event: Event<S>, payload: In<S>, options?: Id): Promise<void>;
  /**
   * To everybody who reads the channel of the bus, in pages and other processes; `data` is JSON of at most 64 KiB.
   * @throws OPTIONS_INVALID, VALUE_NOT_JSON, VALUE_TOO_LARGE
   */
  publish(channel: string, data: unknown, options?: PublishOptions): Promise<void>;
  send(room: Room, text: string, options?: SayOptions & { readonly thread?: string }): Promise<Sent>;
  edit(ref: string, text: string, options?: Id & Expires): Promise<void>;
  /** To a ref, or to what somebody said. */
  react(to: string | Message, emoji: string, options?: Id): Promise<void>;
  topic(room: Room, text: string, options?: Id): Promise<void>;
  join(room: Room, options?: Id): Promise<void>;
  leave(room: Room, options?: Id): Promise<void>;
}

export interface ReplyOptions extends SayOptions {
  /** In a thread under what was said, where the service has threads. */
  readonly thread?: boolean;
  /** Only the person who asked sees it, where the service can do that; else it goes to the person's own room. */
  readonly private?: boolean;
}

/** A route that people can call in chat. */
export interface CommandInfo {
  /** Its id, e.g. `deploy.ship`. */
  readonly route: string;
  readonly handler: string;
  readonly kind: "command" | "hear";
  /** As a person types it: `deploy <app> [env]`; of a `hear` route its pattern. */
  readonly usage: string;
  readonly help?: string;
}

export interface GroupInfo {
  readonly name: string;
  /** Its members are named in the configuration, which wins over chat. */
  readonly fixed: boolean;
}

/** `fixed`: decided by the configuration. `unknown`: no such group is declared there. */
export type GroupChange = "changed" | "unchanged" | "fixed" | "unknown";

/** The groups that `restrictTo` names, declared in the configuration. Members are ids such as `web:ann`. */
export interface Groups {
  list(): Promise<readonly GroupInfo[]>;
  members(group: string): Promise<readonly string[] | undefined>;
  add(user: string, group: string): Promise<GroupChange>;
  remove(user: string, group: string): Promise<GroupChange>;
}

/** Runs of command, hear and fallback. */
export interface ChatCtx<C = unknown> extends Ctx<C> {
  readonly message: Message;
  /** What was said to the bot, without its name: `ping` of `antiphon ping`. */
  readonly said: string;
  readonly groups: Groups;
  reply(text: string, options?: ReplyOptions): Promise<Sent>;
  /** What the person who asks may call. */
  commands(): readonly CommandInfo[];
}
