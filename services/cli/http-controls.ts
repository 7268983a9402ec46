// The bot behind an admin API, as commands ask for it: what `Queue` is on Redis.

import type {
  Acted,
  Change,
  Chosen,
  EnqueueOptions,
  Filter,
  HistoryEntry,
  JobName,
  Limits,
  ListedOne,
  Page,
  PauseWhat,
  Queued,
  QueueDepth,
  QueueInfo,
  Search,
  Shown,
  When,
  WorkerInfo,
} from "../queue/queue.ts";
import type { Edited } from "../broker/jobs.ts";
import type { Job, JobStory, Queue as QueueRow } from "../admin/api.ts";
import type { Worker } from "../admin/api-workers.ts";
import { systemClock } from "../runtime/clock.ts";
import { hasCode } from "../runtime/errors.ts";
import { type Duration, durationMs } from "../sdk/duration.ts";
import type { ScheduleControls } from "../sdk/schedules.ts";
import { ApiClient, type ApiClientOptions } from "./api-client.ts";
import type { Controls } from "./controls.ts";
import { HttpSchedules } from "./http-schedules.ts";
import { entryOf, infoOf, listedOf, shownOf, workerOf } from "./http-shapes.ts";

interface Items<T> {
  readonly items: readonly T[];
  readonly cursor?: string;
}

const LIMIT_MAX = 200;
const IDS_MAX = 1000;
const RESULT_MS = 60_000;

export class HttpControls implements Controls {
  readonly dead: Controls["dead"];
  readonly workers: Controls["workers"];
  readonly schedules: ScheduleControls;
  readonly #api: ApiClient;

  constructor(options: ApiClientOptions) {
    this.#api = new ApiClient(options);
    this.schedules = new HttpSchedules(this.#api);
    this.dead = {
      list: (wanted) => this.#listDead(wanted),
      retry: (chosen) => this.#many("retry", chosen),
      purge: (chosen) => this.#many("purge", chosen),
    };
    const order = async (pod: string, word: string): Promise<void> => {
      await this.#api.ask("POST", `/workers/${encodeURIComponent(pod)}/${word}`);
    };
    this.workers = {
      list: () => this.#listWorkers(),
      quiet: (pod) => order(pod, "quiet"),
      resume: (pod) => order(pod, "resume"),
      stop: (pod) => order(pod, "stop"),
    };
  }

  async depths(): Promise<QueueDepth[]> {
    return (await this.#all<QueueRow>("/queues")).map(infoOf);
  }

  async show(queue: string): Promise<QueueInfo> {
    return infoOf(await this.#api.ask<QueueRow>("GET", `/queues/${encodeURIComponent(queue)}`));
  }

  async history(queue = "default", { limit }: { readonly limit?: number } = {}): Promise<HistoryEntry[]> {
    const path = `/queues/${encodeURIComponent(queue)}/history`;
    const { items } = await this.#api.ask<Items<Parameters<typeof entryOf>[0]>>("GET", path, { query: { limit } });
    return items.map(entryOf);
  }

  async pause(queue: string, what: PauseWhat = {}): Promise<void> {
    await this.#api.ask("POST", `/queues/${encodeURIComponent(queue)}/pause`, { body: what });
  }

  async resume(queue: string, what: PauseWhat = {}): Promise<void> {
    await this.#api.ask("POST", `/queues/${encodeURIComponent(queue)}/resume`, { body: what });
  }

  async limit(queue: string, limits: Limits | null): Promise<void> {
    await this.#api.ask("PUT", `/queues/${encodeURIComponent(queue)}/limits`, { body: limits });
  }

  async search({ states, limit = LIMIT_MAX, ...wanted }: Search = {}): Promise<Page> {
    const query = { ...wanted, limit: Math.min(limit, LIMIT_MAX), state: states?.join(",") };
    const { items, cursor } = await this.#api.ask<Items<Job>>("GET", "/jobs", { query });
    return { found: items.map(listedOf), cursor };
  }

  /** What has finished is told as gone, as by the queue client. */
  async find(id: string): Promise<Shown | undefined> {
    const story = await this.#api.find<JobStory>(`/jobs/${encodeURIComponent(id)}`);
    return story === undefined || story.state === "finished" ? undefined : shownOf(story);
  }

  async cancel(id: string): Promise<"cancelled" | "signalled" | "dead" | "unknown"> {
    return this.#act(id, "dead", () => this.#api.ask("POST", `/jobs/${encodeURIComponent(id)}/cancel`));
  }

  async edit(id: string, { at, ...wanted }: Change): Promise<Edited> {
    const body = { ...wanted, ...(at !== undefined && { at: at.toISOString() }) };
    const edit = (): Promise<{ outcome: "edited" }> =>
      this.#api.ask("PATCH", `/jobs/${encodeURIComponent(id)}`, { body });
    const edited = await this.#act<Edited | "refused">(id, "refused", edit);
    if (edited !== "refused") return edited;
    const state = (await this.find(id))?.state;
    return state === "dead" || state === "held" ? state : "claimed";
  }

  reschedule(id: string, when: When): Promise<Edited> {
    return this.edit(id, when);
  }

  async retry(id: string): Promise<boolean> {
    const retry = (): Promise<{ outcome: "retried" }> => this.#api.ask("POST", `/jobs/${encodeURIComponent(id)}/retry`);
    return (await this.#act<"retried" | "alive" | "unknown">(id, "alive", retry)) === "retried";
  }

  async enqueue(job: JobName, input: unknown, options: EnqueueOptions = {}): Promise<Queued> {
    return this.#api.ask("POST", "/jobs", { body: { job: typeof job === "string" ? job : job.name, input, options } });
  }

  /** A request is held for half a minute at most: then the next one asks. */
  async result(id: string, { timeout }: { readonly timeout?: Duration } = {}): Promise<unknown> {
    const until = systemClock.monotonic() + ((timeout && durationMs(timeout)) ?? RESULT_MS);
    for (;;) {
      const wait = `${Math.max(1, Math.round(until - systemClock.monotonic()))}ms`;
      try {
        const path = `/jobs/${encodeURIComponent(id)}/result`;
        return (await this.#api.ask<{ result: unknown }>("GET", path, { query: { wait } })).result;
      } catch (error) {
        if (!hasCode(error, "RESULT_LATE") || systemClock.monotonic() >= until) throw error;
      }
    }
  }

  async #act<T extends string>(
    id: string,
    refused: T,
    ask: () => Promise<{ readonly outcome: T }>,
  ): Promise<T | "unknown"> {
    try {
      return (await ask()).outcome;
    } catch (error) {
      if (hasCode(error, "NOT_FOUND")) return "unknown";
      if (hasCode(error, "CONFLICT")) return refused;
      throw error;
    }
  }

  async #listDead({ limit = LIMIT_MAX, ...filter }: Filter & { limit?: number } = {}): Promise<ListedOne[]> {
    const found = await this.#all<Job>("/dead", { query: { ...filter }, limit });
    return found.map(listedOf).sort((a, b) => b.since.getTime() - a.since.getTime());
  }

  async #listWorkers(): Promise<WorkerInfo[]> {
    return (await this.#all<Worker>("/workers")).map(workerOf);
  }

  /** As many calls as it takes: each does a part. */
  async #many(action: "retry" | "purge", chosen: Chosen): Promise<Acted> {
    let count = 0;
    const unknown: string[] = [];
    const call = async (body: object): Promise<string | undefined> => {
      const done = await this.#api.ask<Acted & { cursor?: string }>("POST", "/bulk", { body: { action, ...body } });
      count += done.count;
      unknown.push(...done.unknown);
      return done.cursor;
    };
    if (typeof chosen === "string" || isIds(chosen)) {
      const ids = [chosen].flat();
      for (let at = 0; at < ids.length; at += IDS_MAX) await call({ ids: ids.slice(at, at + IDS_MAX) });
    } else
      for (let cursor = await call({ filter: chosen }); cursor !== undefined;)
        cursor = await call({ filter: chosen, cursor });
    return { count, unknown };
  }

  async #all<T>(
    path: string,
    {
      query = {},
      limit = Number.POSITIVE_INFINITY,
    }: { query?: Record<string, string | undefined>; limit?: number } = {},
  ): Promise<T[]> {
    const all: T[] = [];
    let cursor: string | undefined;
    do {
      const page = { ...query, cursor, limit: Math.min(LIMIT_MAX, limit - all.length) };
      const { items, cursor: next }: Items<T> = await this.#api.ask<Items<T>>("GET", path, { query: page });
      all.push(...items);
      cursor = next;
    } while (cursor !== undefined && all.length < limit);
    return all;
  }
}

function isIds(chosen: readonly string[] | Filter): chosen is readonly string[] {
  return Array.isArray(chosen);
}
