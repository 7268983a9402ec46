// bull-board as the peer: its process, its redis-server, and its pages.

import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Measurer } from "../processes.ts";
import { type BenchRedis, startRedis } from "../redis.ts";
import type { Amount } from "./fill.ts";
import type { Look } from "./look.ts";

interface Show {
  readonly url: string;
  readonly amount: Amount;
}

interface Shown {
  readonly type: "shown";
  readonly port: number;
  /** How long it took to fill. */
  readonly ms: number;
  readonly counts: Readonly<Record<string, number>>;
}

const FILLED_MS = 600_000;
/** What its page asks for every five seconds, with the ten jobs that it shows unless somebody sets another number. */
const PAGES: Readonly<Record<string, string>> = {
  "all queues": "queues?page=1&jobsPerPage=10",
  "one queue": "queues?activeQueue=bench&status=latest&page=1&jobsPerPage=10",
  waiting: "queues?activeQueue=bench&status=waiting&page=1&jobsPerPage=10",
  failed: "queues?activeQueue=bench&status=failed&page=1&jobsPerPage=10",
};

export class PeerBoard {
  readonly client: RedisClient;
  readonly shown: Shown;
  readonly #redis: BenchRedis;
  readonly #process: Measurer<Show, Shown>;

  private constructor(parts: { redis: BenchRedis; client: RedisClient; process: Measurer<Show, Shown>; shown: Shown }) {
    this.#redis = parts.redis;
    this.client = parts.client;
    this.#process = parts.process;
    this.shown = parts.shown;
  }

  static async open(amount: Amount): Promise<PeerBoard> {
    const redis = await startRedis("AOF off");
    const process = new Measurer<Show, Shown>(new URL("./bull-board.mjs", import.meta.url));
    process.tell({ url: redis.url, amount });
    const shown = await process.hear("shown", FILLED_MS);
    const client = openRedis({ url: redis.url, name: "bench", purpose: "commands", onState: () => {} });
    return new PeerBoard({ redis, client, process, shown });
  }

  get looks(): Look[] {
    const origin = `http://127.0.0.1:${this.shown.port}`;
    return Object.entries(PAGES).map(([name, path]) => {
      return { name, origin, prefix: "/api/", asks: [{ path }, { path: "redis/stats" }], headers: {} };
    });
  }

  async close(): Promise<void> {
    await this.#process.end();
    await closeRedis(this.client);
    await this.#redis.stop();
  }
}
