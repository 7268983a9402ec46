// The parts of the HTTP thread in the test's own process, on a real Redis: handlers in, a URL out.

import { decodeEnvelope } from "../../services/broker/delivery.ts";
import { readConfig } from "../../services/config/read.ts";
import { manifestOf } from "../../services/handlers/loader.ts";
import { Keys } from "../../services/redis/keys.ts";
import { closeRedis, openRedis, type RedisClient } from "../../services/redis/connect.ts";
import { systemClock } from "../../services/runtime/clock.ts";
import { startAll, stopAll } from "../../services/runtime/part.ts";
import type { Tracing } from "../../services/telemetry/tracing.ts";
import { httpParts, type HttpParts } from "../../services/worker/http-parts.ts";
import { Pulse } from "../../services/worker/pulse.ts";
import { waitFor } from "./wait-for.ts";

export interface DoorOptions {
  readonly redisUrl: string;
  readonly namespace: string;
  readonly handlers?: readonly unknown[];
  readonly env?: Readonly<Record<string, string>>;
  readonly dev?: boolean;
  readonly tracing?: Tracing | undefined;
}

export interface Door extends HttpParts {
  readonly url: string;
  readonly adminUrl: string;
  readonly pulse: Pulse;
  readonly redis: RedisClient;
  readonly keys: Keys;
  /** What is stored in a queue: envelopes with their bodies. */
  stored(queue: string): Promise<{ header: Record<string, unknown>; payload: string }[]>;
  stop(): Promise<void>;
}

export async function openDoor(options: DoorOptions): Promise<Door> {
  const config = await readConfig("worker", {
    env: {
      REDIS_URL: options.redisUrl,
      ANTIPHON_NAMESPACE: options.namespace,
      ANTIPHON_HTTP_PORT: "0",
      ANTIPHON_ADMIN_PORT: "0",
      ANTIPHON_HTTP_HOST: "127.0.0.1",
      ANTIPHON_ADMIN_HOST: "127.0.0.1",
      ...options.env,
    },
    cwd: import.meta.dirname,
    cores: 2,
    terminal: false,
    dev: options.dev ?? false,
  });
  const around = { groups: [], adapters: [], settings: {}, environment: {}, builtins: [] };
  const found = (options.handlers ?? []).map((value) => ({ file: "test", value }));
  const pulse = new Pulse();
  const parts = httpParts({
    config,
    manifest: await manifestOf(found, around),
    pulse,
    clockOffset: new Float64Array(1),
    clock: systemClock,
    random: Math.random,
    emit: () => {},
    tracing: options.tracing,
  });
  await startAll(parts.parts);
  const redis = openRedis({ url: options.redisUrl, name: "test", purpose: "commands", onState: () => {} });
  const keys = new Keys(options.namespace, 0);
  return {
    ...parts,
    url: `http://127.0.0.1:${parts.publicServer.port}`,
    adminUrl: `http://127.0.0.1:${parts.admin.port}`,
    pulse,
    redis,
    keys,
    stored: (queue) => stored(redis, keys.queue(queue)),
    stop: async () => {
      parts.bus.endStreams();
      await stopAll(parts.parts, 5_000);
      await closeRedis(redis);
    },
  };
}

async function stored(redis: RedisClient, prefix: string) {
  const inline = await redis.hgetallBuffer(`${prefix}:j`);
  const all = [];
  for (const id of Object.keys(inline).sort((a, b) => Number(a) - Number(b))) {
    let envelope = inline[id] as Buffer;
    if (envelope[0] === 0)
      envelope = (await redis.getBuffer(`${prefix}:b:${envelope.toString("latin1", 1)}`)) as Buffer;
    const { header, payload } = decodeEnvelope(envelope);
    all.push({ header: { ...header }, payload: payload.toString() });
  }
  return all;
}

/** Waits until the door's own connections are there. */
export async function doorIsOpen(door: Door): Promise<void> {
  await waitFor(async () => {
    const body = (await (await fetch(`${door.adminUrl}/readyz`)).json()) as { checks: { name: string; ok: boolean }[] };
    return body.checks.filter(({ name }) => name.startsWith("redis (")).every(({ ok }) => ok);
  });
}
