// A queue client beside a bench of workers, on each server, for tests of `antiphon/queue`.

import { randomUUID } from "node:crypto";
import { afterEach, beforeEach } from "vitest";
import { z } from "zod";
import type { Claim, Claims } from "../../services/broker/claims.ts";
import { decodeEnvelope, type EnvelopeHeader } from "../../services/broker/delivery.ts";
import { registerJobs, registerRoutes } from "../../services/broker/routes.ts";
import { openQueue, type Queue } from "../../services/queue/queue.ts";
import { closeRedis, openRedis, type RedisClient } from "../../services/redis/connect.ts";
import { job } from "../../services/sdk/index.ts";
import { Bench, outcome, TAKE, takeOne } from "./broker.ts";
import { eachServer } from "./redis.ts";

/** The jobs that the workers of a kit have registered. */
export const Report = job("reports.make", z.object({ team: z.string() }));
export const Slow = job("slow", z.number(), { queue: "low", class: 3 });

/** What a test is given; to be taken apart in the test, for each has its own. */
export interface QueueKit {
  readonly url: string;
  readonly client: RedisClient;
  readonly bench: Bench;
  readonly queue: Queue;
  takeAll(worker: Claims): Promise<Claim[]>;
  /** A report that failed for good; resolves with its id. */
  bury(team: string, options?: object): Promise<string>;
}

export function eachQueue(suite: (kit: QueueKit) => void): void {
  eachServer((_name, url) => {
    let client: RedisClient;
    let bench: Bench;
    let queue: Queue;
    beforeEach(async () => {
      client = openRedis({ url: url(), name: "queue-test", purpose: "commands", onState: () => {} });
      const namespace = `q${randomUUID()}`;
      bench = new Bench(client, namespace);
      queue = await openQueue({ url: url(), namespace });
      await registerRoutes(bench.context, ["reports.monthly", "low.slow", "deploy.ship"]);
      const jobs = { "reports.make": "reports.monthly", slow: "low.slow" };
      await registerJobs(bench.context, new Map(Object.entries(jobs)));
    });
    afterEach(async () => {
      await queue.close();
      await closeRedis(client);
    });
    suite({
      get url() {
        return url();
      },
      get client() {
        return client;
      },
      get bench() {
        return bench;
      },
      get queue() {
        return queue;
      },
      takeAll: async (worker) => (await worker.take({ ...TAKE, slots: 100, run: 16 })).runs.flat(),
      bury: async (team, options = {}) => {
        const { id } = await queue.enqueue(Report, { team }, options);
        const worker = await bench.worker(`w-${id}`);
        await worker.settle([outcome(await takeOne(worker), "dead", { error: `no ${team}` })]);
        return id;
      },
    });
  });
}

export function read(claim: Claim): { header: EnvelopeHeader; input: unknown } {
  const { header, payload } = decodeEnvelope(claim.body ?? Buffer.alloc(0));
  return { header, input: JSON.parse(payload.toString()) as unknown };
}
