// What the commands that look into Redis share: a connection for one question, and a clear end when there is no answer.

import { translate } from "../broker/connection.ts";
import type { Config } from "../config/config.ts";
import { closeRedis, openRedis, type RedisClient, unusable } from "../redis/connect.ts";
import { Keys } from "../redis/keys.ts";
import { databaseOf } from "../redis/url.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { withDeadline } from "../runtime/part.ts";

const ANSWER_MS = 5000;

/** @throws AntiphonError CONFIG_INVALID without REDIS_URL, REDIS_UNAVAILABLE when it does not answer in time, REDIS_UNFIT */
export async function askRedis<T>(
  config: Config,
  ask: (client: RedisClient, keys: Keys) => Promise<T>,
  answerMs = ANSWER_MS,
): Promise<T> {
  const url = config.redisUrl;
  if (url === undefined)
    throw new AntiphonError("CONFIG_INVALID", "\n  REDIS_URL is missing. `antiphon dev` prints the one that it uses.");
  const client = openRedis({ url, name: "cli", purpose: "commands", onState: () => {} });
  try {
    return await withDeadline(ask(client, new Keys(config.namespace, databaseOf(url))), answerMs, "Redis");
  } catch (error) {
    if (error instanceof TypeError) throw error;
    const known = translate(error);
    if (!(known instanceof AntiphonError)) throw refused(error);
    throw known.code === "REDIS_UNAVAILABLE" ? await unusable(client, known) : known;
  } finally {
    await closeRedis(client);
  }
}

/** It answered, and does not do that for this user, or at all. */
function refused(error: unknown): AntiphonError {
  const [line = ""] = String((error as Partial<Error> | undefined)?.message).split("\n");
  const remedy = line.startsWith("NOPERM") ? " Remedy: `antiphon doctor` tells what its user lacks." : "";
  return new AntiphonError("REDIS_UNFIT", `It answered: ${line}.${remedy}`, { cause: error });
}
