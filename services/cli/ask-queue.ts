// The client of `antiphon/queue` for one command: on the connection and in the time of `askRedis`.

import type { Config } from "../config/config.ts";
import { Queue } from "../queue/queue.ts";
import { closeRedis, openRedis, type RedisClient } from "../redis/connect.ts";
import { systemClock } from "../runtime/clock.ts";
import { withDeadline } from "../runtime/part.ts";
import { askRedis } from "./ask-redis.ts";
import type { Around } from "./audited.ts";

/** Enough for a look at everything in a large queue, and for a result that is awaited. */
const ANSWER_MS = 600_000;
const CONNECT_MS = 5000;

/** @throws AntiphonError CONFIG_INVALID without REDIS_URL, REDIS_UNAVAILABLE when it does not answer */
export async function askQueue<T>(config: Config, ask: (queue: Queue, around: Around) => Promise<T>): Promise<T> {
  const { redisUrl: url = "", queueLimit, queueBytes, durability } = config;
  const opened: RedisClient[] = [];
  const subscriber = (): RedisClient => {
    const client = openRedis({ url, name: "cli-results", purpose: "subscriber", onState: () => {} });
    opened.push(client);
    return client;
  };
  const limits = { deliveries: queueLimit, bytes: queueBytes };
  const around = { subscriber, limits, durability, middleware: [], clock: systemClock, random: Math.random };
  const work = async (client: RedisClient, keys: ConstructorParameters<typeof Queue>[0]["keys"]): Promise<T> => {
    await withDeadline(client.ping(), CONNECT_MS, "Redis");
    const queue = new Queue({ client, keys, ...around }, async () => {
      for (const connection of opened) await closeRedis(connection);
    });
    try {
      return await ask(queue, { config, client, keys });
    } finally {
      await queue.close();
    }
  };
  return askRedis(config, work, ANSWER_MS);
}
