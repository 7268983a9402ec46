// Queues as an operator sees and steers them: how much is in them, who serves them, what holds them back, what they did.

import { type HistoryLine, readHistory } from "../broker/history.ts";
import type { BrokerContext } from "../broker/connection.ts";
import { queueDepth, type QueueDepth } from "../broker/depth.ts";
import { figuresOf } from "../broker/figures.ts";
import { queueLimitsOf, type QueueRates, setQueueLimits } from "../broker/limits.ts";
import { pause, type Paused, pausesOf, resume } from "../broker/pauses.ts";
import { podOf } from "../broker/pods.ts";
import { queueNames, type RegisteredWorker, registeredWorkers } from "../broker/registered.ts";
import { DEFAULT_POOL, servedAs } from "../broker/served.ts";
import { isName } from "../redis/keys.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { type Duration, durationMs } from "../sdk/duration.ts";
import type { Directory } from "./directory.ts";

/** What of a queue is meant: all of it unless a route (by its id) or an ordering key is named. */
export interface PauseWhat {
  readonly route?: string;
  readonly key?: string;
}

export interface PauseInfo extends PauseWhat {
  readonly kind: "queue" | "route" | "key";
  readonly since: Date;
}

/** Over all workers. */
export interface Limits {
  /** At most `limit` runs begin per time; `burst` of them may begin at once after a pause. */
  readonly rate?: { readonly limit: number; readonly per: Duration; readonly burst?: number };
  /** Runs at a time. */
  readonly concurrency?: number;
}

export interface QueueInfo extends QueueDepth {
  /** Pods that serve it. */
  readonly workers: readonly string[];
  /** How much of their turns the workers of each pool give it. */
  readonly weights: readonly { readonly pool: string; readonly weight: number }[];
  /** For how long the oldest delivery that is next in line has been ready. */
  readonly oldestMs: number;
  readonly pauses: readonly PauseInfo[];
  readonly limits: Limits;
  /** Over the last half minute. */
  readonly arrivalsPerSecond: number;
  /** How long a delivery holds its slot; undefined before the first one. */
  readonly meanRunMs?: number;
}

/** What became of one run. */
export interface HistoryEntry {
  readonly at: Date;
  readonly id: string;
  readonly kind: string;
  readonly routes: readonly string[];
  readonly outcome: string;
  readonly attempt: number;
  /** How long it ran. */
  readonly ms: number;
  readonly worker: string;
  /** How many: what it said, enqueued, stored. */
  readonly effects?: number;
  /** What a job returned, if it was a text. */
  readonly result?: string;
  readonly error?: string;
}

const HISTORY_LIMIT = 50;
const RATE_MAX = 1_000_000;

export class Queues {
  readonly #context: BrokerContext;
  readonly #directory: Directory;

  constructor(context: BrokerContext, directory: Directory) {
    this.#context = context;
    this.#directory = directory;
  }

  /** Of all queues, outboxes included, in the order of their names. */
  async depths(): Promise<QueueDepth[]> {
    const names = (await queueNames(this.#context)).sort();
    return Promise.all(names.map((name) => queueDepth(this.#context, name)));
  }

  async depth(name: string): Promise<QueueDepth> {
    return queueDepth(this.#context, checkedName(name));
  }

  async show(name: string): Promise<QueueInfo> {
    const [depth, registered, pauses, limits, figures] = await Promise.all([
      this.depth(name),
      registeredWorkers(this.#context, [name]),
      pausesOf(this.#context, name),
      queueLimitsOf(this.#context, name),
      figuresOf(this.#context, name),
    ]);
    const workers = [...new Set(registered.map(({ wid }) => podOf(wid)))].sort();
    const told = await Promise.all(pauses.map((one) => this.#told(one)));
    const { arrivalsPerSecond, oldestMs, meanRunMs } = figures;
    const rates = { arrivalsPerSecond, oldestMs, ...(meanRunMs !== null && { meanRunMs }) };
    return {
      ...depth,
      workers,
      weights: weightsOf(name, registered),
      pauses: told,
      limits: limitsOf(limits),
      ...rates,
    };
  }

  /** Nothing new of it begins, what runs runs on, nothing is lost. */
  async pause(name: string, what: PauseWhat = {}): Promise<void> {
    await pause(this.#context, checkedName(name), await this.#paused(what));
  }

  async resume(name: string, what: PauseWhat = {}): Promise<void> {
    await resume(this.#context, checkedName(name), await this.#paused(what));
  }

  /** Null takes the limits away. */
  async limit(name: string, limits: Limits | null): Promise<void> {
    await setQueueLimits(this.#context, checkedName(name), limits === null ? null : ratesOf(limits));
  }

  /** The newest first. What cannot be read is left out. */
  async history(name: string, { limit = HISTORY_LIMIT }: { readonly limit?: number } = {}): Promise<HistoryEntry[]> {
    return (await readHistory(this.#context, checkedName(name), limit)).flatMap(entryOf);
  }

  async #paused({ route, key }: PauseWhat): Promise<Paused> {
    if (route !== undefined && key !== undefined)
      throw new AntiphonError("OPTIONS_INVALID", "A pause is of a route or of a key, not of both.");
    if (route !== undefined) return { kind: "route", route: await this.#directory.numberOf(route) };
    return key === undefined ? { kind: "queue" } : { kind: "key", key };
  }

  async #told(pause: Paused & { readonly sinceMs: number }): Promise<PauseInfo> {
    const { kind } = pause;
    const since = new Date(pause.sinceMs);
    if (pause.kind === "key") return { kind, since, key: pause.key };
    if (pause.kind === "queue") return { kind, since };
    return { kind, since, route: (await this.#directory.routeOf(pause.route)) ?? `number ${pause.route}` };
  }
}

/** By the names of the pools. */
function weightsOf(queue: string, registered: readonly RegisteredWorker[]): QueueInfo["weights"] {
  const byPool = new Map<string, number>();
  for (const { facts } of registered) {
    const weight = facts?.serves && servedAs(facts.serves, queue)?.weight;
    if (weight !== undefined) byPool.set(facts?.pool ?? DEFAULT_POOL, weight);
  }
  return [...byPool].map(([pool, weight]) => ({ pool, weight })).sort((a, b) => (a.pool < b.pool ? -1 : 1));
}

function checkedName(name: string): string {
  if (isName(name)) return name;
  throw new AntiphonError("OPTIONS_INVALID", `"${name}" cannot be a queue's name.`);
}

function ratesOf({ rate, concurrency }: Limits): QueueRates {
  const problems: string[] = [];
  const perMs = rate === undefined ? 0 : (durationMs(rate.per) ?? 0);
  if (rate !== undefined && !isCount(rate.limit)) problems.push(`rate.limit must be a whole number from 1`);
  if (rate !== undefined && perMs <= 0) problems.push('rate.per must be a duration such as "1m"');
  if (rate?.burst !== undefined && !isCount(rate.burst)) problems.push("rate.burst must be a whole number from 1");
  if (concurrency !== undefined && !isCount(concurrency)) problems.push("concurrency must be a whole number from 1");
  if (problems.length > 0) throw new AntiphonError("OPTIONS_INVALID", `limits: ${problems.join("; ")}`);
  const burst = rate?.burst === undefined ? {} : { burst: rate.burst };
  return {
    ...(rate !== undefined && { rate: { limit: rate.limit, perMs, ...burst } }),
    ...(concurrency !== undefined && { concurrency }),
  };
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1 && value <= RATE_MAX;
}

function limitsOf({ rate, concurrency }: QueueRates): Limits {
  return {
    ...(rate !== undefined && {
      rate: { limit: rate.limit, per: `${rate.perMs}ms` as Duration, ...(rate.burst && { burst: rate.burst }) },
    }),
    ...(concurrency !== undefined && { concurrency }),
  };
}

function entryOf({ atMs, worker, text }: HistoryLine): HistoryEntry[] {
  try {
    const entry = JSON.parse(text) as Omit<HistoryEntry, "at" | "worker">;
    return [{ ...entry, at: new Date(atMs), worker }];
  } catch {
    return [];
  }
}
