// /scale and /metrics of the admin server: how many workers the work needs, for autoscalers, and figures for Prometheus.

import type { FastifyPluginAsync } from "fastify";
import { AntiphonError } from "../runtime/errors.ts";
import { suggestion } from "../runtime/suggest.ts";
import { type Exposed, Exposition } from "../telemetry/exposition.ts";
import { type Load, samplesOf } from "../telemetry/samples.ts";

interface QueueLoad {
  readonly name: string;
  readonly ready: number;
  readonly claimed: number;
  readonly delayed: number;
  readonly dead: number;
  readonly oldestMs: number;
  readonly arrivalsPerSecond: number;
  readonly meanRunMs: number | null;
  readonly drainSeconds: number;
  readonly isUnserved: boolean;
}

interface PoolLoad {
  readonly name: string;
  readonly required: number;
  readonly workers: number;
  readonly queues: readonly string[];
}

/** What there is to do, as the broker knows it. */
export interface Workload extends Load {
  readonly queues: readonly QueueLoad[];
  readonly pools: readonly PoolLoad[];
}

/** `look` is asked by every request: it remembers for a moment. Rejects where Redis is away. */
export function figures(look: () => Promise<Workload>, exposed: Exposed): FastifyPluginAsync {
  const metrics = new Exposition(exposed);
  return async (app) => {
    app.get<{ Querystring: { pool?: string } }>("/scale", async (request, reply) => {
      const body = scaleOf(await look(), request.query.pool);
      return reply.header("cache-control", "no-store").send(body);
    });
    app.get("/metrics", async (_request, reply) => {
      const load = await look().catch(() => undefined);
      const { contentType, body } = await metrics.text(load && samplesOf(load));
      return reply.header("content-type", contentType).send(body);
    });
  };
}

/** Of one pool, or of all together. Throws NOT_FOUND. */
function scaleOf({ queues, pools }: Workload, name: string | undefined): object {
  const asked = pools.filter((pool) => name === undefined || pool.name === name);
  if (asked.length === 0) {
    const known = pools.map((pool) => pool.name);
    throw new AntiphonError("NOT_FOUND", `No worker of a pool ${name} lives.${suggestion(name ?? "", known)}`);
  }
  const sum = (of: (pool: PoolLoad) => number): number => asked.reduce((total, pool) => total + of(pool), 0);
  const own = queues.filter((queue) => name === undefined || asked[0]?.queues.includes(queue.name));
  return { workersRequired: sum((pool) => pool.required), queues: own.map(told), workers: sum((pool) => pool.workers) };
}

/** What has never run has no mean; scripts that add up want a number. */
function told(queue: QueueLoad): object {
  const { drainSeconds: _, isUnserved: _unserved, arrivalsPerSecond, meanRunMs, ...depth } = queue;
  return { ...depth, arrivalsPerSecond: rounded(arrivalsPerSecond), meanRunMs: rounded(meanRunMs ?? 0) };
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
