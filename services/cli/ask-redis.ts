// What the commands that look into Redis share: a connection for one question, and a clear end when there is no answer.

import type { Config } from "../config/config.ts";
import { closeRedis, openRedis, type RedisClient } from "../redis/connect.ts";
import { Keys } from "../redis/keys.ts";
import { databaseOf } from "../redis/url.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { withDeadline } from "../runtime/part.ts";

const ANSWER_MS = 5000;

/** @throws AntiphonError CONFIG_INVALID without REDIS_URL, REDIS_UNAVAILABLE when it does not answer in time */
export async function askRedis<T>(
  config: Config,
  ask: (client: RedisClient, keys: Keys) => Promise<T>,
  answerMs = ANSWER_MS,
): Promise<T> {
  const url = config.redisUrl;
  if (url === undefined)
    throw new AntiphonError("CONFIG_INVALID", "\n  REDIS_URL is missing. `antiphon dev` prints the one that it uses.");
  let problem = "";
  const client = openRedis({
    url,
    name: "cli",
    purpose: "commands",
    onState: (_state, detail) => (problem = detail ?? ""),
  });
  try {
    return await withDeadline(ask(client, new Keys(config.namespace, databaseOf(url))), answerMs, "Redis");
  } catch (error) {
    if (error instanceof AntiphonError || error instanceof TypeError) throw error;
    throw new AntiphonError("REDIS_UNAVAILABLE", problem, { cause: error });
  } finally {
    await closeRedis(client);
  }
}
