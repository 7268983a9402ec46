// One subject: a client and a worker, each a process, on a redis-server of their own, and what that server has used.

import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Measurer } from "../processes.ts";
import { type BenchRedis, startRedis } from "../redis.ts";
import type { Fill, FromSubject, Loops, Pace, ToSubject, Work } from "./protocol.ts";

export type SubjectName = "antiphon" | "bullmq" | "groupmq" | "streams";

const ENTRIES: Readonly<Record<SubjectName, string>> = {
  antiphon: "antiphon.ts",
  bullmq: "bullmq.mjs",
  groupmq: "groupmq.mjs",
  streams: "streams.mjs",
};

const OPEN_MS = 20_000;
const FILL_MS = 300_000;
const WORK_MS = 300_000;

/** What the server used, by its own account. */
interface Gauge {
  readonly cpuSeconds: number;
  readonly bytes: number;
}

export interface Filled {
  readonly perSecond: number;
  /** User CPU of the server, µs a job. */
  readonly redisUs: number;
  /** Memory of the server, a job. */
  readonly bytes: number;
}

export interface Worked {
  readonly perSecond: number;
  readonly redisUs: number;
  /** Enqueue to start of the handler, ms; of jobs with a stamp. */
  readonly latencies: readonly number[];
}

export class Pair {
  readonly #redis: BenchRedis;
  readonly #gauges: RedisClient;
  readonly #client: Measurer<ToSubject, FromSubject>;
  readonly #worker: Measurer<ToSubject, FromSubject>;

  private constructor(redis: BenchRedis, entry: URL) {
    this.#redis = redis;
    this.#gauges = openRedis({ url: redis.url, name: "bench-gauges", purpose: "commands", onState: () => {} });
    this.#client = new Measurer(entry);
    this.#worker = new Measurer(entry);
  }

  static async start(subject: SubjectName): Promise<Pair> {
    const pair = new Pair(await startRedis("AOF off"), new URL(ENTRIES[subject], import.meta.url));
    for (const process of [pair.#client, pair.#worker]) {
      process.tell({ type: "open", url: pair.#redis.url });
      await process.hear("opened", OPEN_MS);
    }
    return pair;
  }

  async enqueue(order: Omit<Fill, "type">): Promise<Filled> {
    const before = await this.#gauge();
    this.#client.tell({ type: "fill", ...order });
    const { ms } = await this.#client.hear("filled", FILL_MS);
    const after = await this.#gauge();
    return {
      perSecond: (order.jobs / ms) * 1000,
      redisUs: ((after.cpuSeconds - before.cpuSeconds) / order.jobs) * 1e6,
      bytes: (after.bytes - before.bytes) / order.jobs,
    };
  }

  /** Resolves when all jobs were handled; `meanwhile` begins when the worker takes jobs. */
  async work(order: Omit<Work, "type"> | Loops, meanwhile: () => Promise<unknown> = nothing): Promise<Worked> {
    const before = await this.#gauge();
    this.#worker.tell("type" in order ? order : { type: "work", ...order });
    await this.#worker.hear("working", OPEN_MS);
    const [{ jobs, ms, latencies }] = await Promise.all([this.#worker.hear("worked", WORK_MS), meanwhile()]);
    const after = await this.#gauge();
    return {
      perSecond: (jobs / ms) * 1000,
      redisUs: ((after.cpuSeconds - before.cpuSeconds) / order.jobs) * 1e6,
      latencies,
    };
  }

  async pace(order: Omit<Pace, "type">): Promise<void> {
    this.#client.tell({ type: "pace", ...order });
    await this.#client.hear("filled", FILL_MS);
  }

  /** µs that the scripts took, and how many calls, since the last time. */
  async scripts(): Promise<{ readonly us: number; readonly calls: number }> {
    const [, calls = "0", us = "0"] =
      /cmdstat_evalsha:calls=(\d+),usec=(\d+)/.exec(await this.#gauges.info("commandstats")) ?? [];
    await this.#gauges.config("RESETSTAT");
    return { us: Number(us), calls: Number(calls) };
  }

  async stop(): Promise<void> {
    await Promise.all([this.#client.end(), this.#worker.end()]);
    await closeRedis(this.#gauges);
    await this.#redis.stop();
  }

  async #gauge(): Promise<Gauge> {
    const number = async (section: string, field: string): Promise<number> => {
      const text = await this.#gauges.info(section);
      return Number(new RegExp(`${field}:([\\d.]+)`).exec(text)?.[1] ?? Number.NaN);
    };
    return { cpuSeconds: await number("cpu", "used_cpu_user"), bytes: await number("memory", "used_memory") };
  }
}

async function nothing(): Promise<void> {}
