// What the user of a connection must be allowed to do, and whether it is: asked of the server without doing any of it.

import type { Redis } from "ioredis";
import type { Keys } from "./keys.ts";

/** With `K` for a key of the bot and `C` for a channel of it. In scripts, and outside of them. */
export const NEEDED = [
  ..."HSET K f v|HGET K f|HMGET K f|HDEL K f|HEXISTS K f|HSETNX K f v|HINCRBY K f 1|HLEN K|HKEYS K|HVALS K|HGETALL K".split(
    "|",
  ),
  ..."ZADD K 1 m|ZREM K m|ZSCORE K m|ZCARD K|ZCOUNT K 0 1|ZRANGE K 0 1|ZRANGEBYSCORE K 0 1|ZREVRANGEBYSCORE K 1 0".split(
    "|",
  ),
  ..."ZREMRANGEBYSCORE K 0 1|ZREVRANGE K 0 1|ZSCAN K 0|LPUSH K v|RPUSH K v|LPOP K|LRANGE K 0 1|LINDEX K 0|LLEN K".split(
    "|",
  ),
  ..."LREM K 1 v|LPOS K v|LTRIM K 0 1|LSET K 0 v|SADD K m|SREM K m|SPOP K|SCARD K|SMEMBERS K|SISMEMBER K m".split("|"),
  ..."SMISMEMBER K m|SSCAN K 0|GET K|MGET K|SET K v|GETDEL K|INCR K|DEL K|UNLINK K|EXISTS K|EXPIRE K 1|PEXPIRE K 1".split(
    "|",
  ),
  ..."PTTL K|PERSIST K|XADD K * f v|XTRIM K MAXLEN 1|XRANGE K - +|XREVRANGE K + -|XLEN K|SPUBLISH C m|SSUBSCRIBE C".split(
    "|",
  ),
  ..."SUNSUBSCRIBE C|PUBLISH C m|SUBSCRIBE C|TIME|INFO|PING|MULTI|EXEC|SCAN 0|TYPE K|STRLEN K".split("|"),
  ..."EVAL return 0|EVALSHA 0000000000000000000000000000000000000000 0|SCRIPT LOAD x|CLIENT SETNAME x|CLIENT ID|CLIENT LIST".split(
    "|",
  ),
];

/** Of what an option needs. */
export const NEEDED_FOR = { replica: "WAIT 1 0", fsync: "WAITAOF 1 0 0" } as const;

export interface Permissions {
  readonly user: string;
  /** Commands. */
  readonly denied: readonly string[];
  /** What `ACL SETUSER` takes to allow them. */
  readonly rules: readonly string[];
}

/** Undefined: the user may not even ask, or the server is too old to say. */
export async function permissionsOf(
  server: Redis,
  keys: Keys,
  more: readonly string[] = [],
): Promise<Permissions | undefined> {
  try {
    const user = String(await server.call("ACL", "WHOAMI"));
    const verdicts = await Promise.all([...NEEDED, ...more].map((line) => ask(server, user, [line, keys])));
    const denied = verdicts.filter((verdict) => verdict !== undefined);
    const rules = new Set(denied.map(({ rule }) => rule));
    return { user, denied: denied.map(({ command }) => command), rules: [...rules] };
  } catch (error) {
    if (error instanceof Error && error.name === "ReplyError") return undefined;
    throw error;
  }
}

interface Denied {
  readonly command: string;
  readonly rule: string;
}

/** Undefined: the user may. */
async function ask(server: Redis, user: string, [line, keys]: readonly [string, Keys]): Promise<Denied | undefined> {
  const words = line.split(" ").map((word) => named(word, keys));
  // EVAL tells how many keys follow.
  const args = words[0] === "EVAL" ? ["EVAL", "return 0", "0"] : words;
  try {
    const answer = String(await server.call("ACL", "DRYRUN", user, ...args));
    return answer === "OK" ? undefined : { command: nameOf(line), rule: ruleFor(answer, [line, keys]) };
  } catch (error) {
    // A command that this version does not have is judged by whoever needs it.
    if (error instanceof Error && /not found|wrong number/i.test(error.message)) return undefined;
    throw error;
  }
}

/** A pattern that is not needed is refused by the server, so only what is missing is named. */
function ruleFor(answer: string, [line, { tag }]: readonly [string, Keys]): string {
  if (answer.endsWith(" key")) return `~${tag}:*`;
  return answer.endsWith(" channel") ? `&${tag}:*` : `+${nameOf(line)}`;
}

function named(word: string, { tag }: Keys): string {
  if (word === "K") return `${tag}:doctor`;
  return word === "C" ? `${tag}:doctor:channel` : word;
}

/** As `ACL SETUSER` takes it. */
function nameOf(line: string): string {
  const [command = "", sub = ""] = line.toLowerCase().split(" ");
  return command === "script" || command === "client" ? `${command}|${sub}` : command;
}
