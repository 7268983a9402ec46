// The broker's invariant under thousands of random schedules, on the real scripts; and proof that the checks see faults.

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { BrokerModel } from "../../support/broker-model.ts";
import { withFault } from "../../support/faulty-client.ts";
import { eachServer } from "../../support/redis.ts";

/** The embedded server runs Lua several times slower than a native one. */
const SCHEDULES = { embedded: 200, "redis-server": 2_500 };
const STEPS = 40;
/** Schedules that share the server at a time, each in its own namespace. */
const SIDE_BY_SIDE = 10;

/** Each takes one rule away. */
const FAULTS: readonly (readonly [rule: string, from: string, to: string])[] = [
  [
    "a key is released when its run has no unsettled delivery left",
    "== 1 then return 0 end\n  redis.call('RPUSH'",
    "== 1 then end\n  redis.call('RPUSH'",
  ],
  [
    "block un-claims the whole run",
    "    unclaim_run(wid, list, out)\n",
    "    redis.call('HDEL', P .. ':c:' .. wid, d.id)\n",
  ],
  [
    "the fence decides who owns a delivery",
    "d.owned = claims[n] == d.claim and not seen[d.id]",
    "d.owned = claims[n] and not seen[d.id]",
  ],
  ["a late worker does not reap itself", "expired[1] ~= caller and expired[1] or expired[2]", "expired[1]"],
  [
    "a beat never brings a reaped worker back",
    "if is_fenced(ARGV[2]) then return redis.error_reply('FENCED worker is not registered') end\nredis.call('ZADD', P .. ':wk', 'XX'",
    "redis.call('ZADD', P .. ':wk'",
  ],
  [
    "only an empty list makes its key ready",
    "if push_all(queue .. ':k:' .. key, elements) == #elements then",
    "if push_all(queue .. ':k:' .. key, elements) > 0 then",
  ],
  [
    "a claimed run stays in its list",
    "redis.call('LRANGE', P .. ':k:' .. key, 0, run - 1)",
    "(redis.call('LPOP', P .. ':k:' .. key, run) or {})",
  ],
  [
    "a retry keeps its place",
    "redis.call('LSET', list, 0, d.next)",
    "redis.call('LPOP', list) redis.call('RPUSH', list, d.next)",
  ],
  ["a batch sent again is answered from memory", "if known then", "if false then"],
  ["effects are remembered across runs", "if known and (edited == '' or known == id) then", "if false then"],
  [
    "in columns too a run is a prefix of its key",
    "    and id_of(elements[prefix + 1]) == ARGV[ids_at + i + prefix] do",
    "    do",
  ],
  [
    "in columns too the fence decides",
    "if not held[k] or string.find(held[k], fence, 1, true) ~= 1 then",
    "if not held[k] then",
  ],
  ["in columns too a key is released when its run is over", "if not claimed[i] then", "if true then"],
  [
    "the last one that is waited for lets go",
    "if redis.call('EXISTS', TAG .. ':a:' .. id) == 0 then let_go(id) end",
    "let_go(id)",
  ],
  [
    "what moved to another number has not ended",
    " or group.kind == 'gone' and redis.call('HEXISTS', P .. ':j', d.id) == 0",
    "",
  ],
  ["a paused key is not taken", "or key ~= '' and pauses['k' .. key] then", "then"],
  [
    "what is claimed counts against the limit",
    "      redis.call('SADD', TAG .. ':l:' .. entry.running, running)\n",
    "",
  ],
  ["what ends no longer counts", "if known[route] then redis.call('SREM', TAG .. ':l:' .. route, running) end", ""],
  ["reaped work goes back to a ring", "if head then redis.call('LPUSH', P .. ':r' .. class_of(head), key) end", ""],
];

eachServer((name, url) => {
  let client: RedisClient;
  beforeAll(() => {
    client = openRedis({ url: url(), name: "model", purpose: "commands", onState: () => {} });
  });
  afterAll(() => closeRedis(client));
  const context = (use = client) => ({ client: use, keys: new Keys(`m${randomUUID()}`, 0) });

  const schedule = (seed: number) =>
    new BrokerModel(context(), seed).run(STEPS).catch((error: Error) => {
      throw new Error(`seed ${seed}: ${error.message}`, { cause: error });
    });

  test("nothing is lost, nothing settled twice, order per key is kept", { timeout: 300_000 }, async () => {
    const total = { steps: 0, enqueued: 0, settled: 0, zombieSettles: 0 };
    for (let seed = 1; seed <= SCHEDULES[name]; seed += SIDE_BY_SIDE) {
      const seeds = Array.from({ length: SIDE_BY_SIDE }, (_, n) => seed + n);
      for (const counts of await Promise.all(seeds.map(schedule))) {
        for (const field of Object.keys(total) as (keyof typeof total)[]) total[field] += counts[field];
      }
    }
    console.log(`model on ${name}: ${SCHEDULES[name]} schedules,`, total);
    expect(total.zombieSettles).toBeGreaterThan(SCHEDULES[name] / 20);
    expect(total.settled).toBeGreaterThan(SCHEDULES[name]);
  });

  test.each([360, 421, 672])("a long schedule: seed %i", { timeout: 120_000 }, async (seed) => {
    const { settled } = await new BrokerModel(context(), seed).run(150);
    expect(settled).toBeGreaterThan(0);
  });

  if (name === "embedded") return;
  describe("the checks see a fault", () => {
    test.each(FAULTS)("%s", { timeout: 60_000 }, async (_rule, from, to) => {
      let altered = false;
      const faulty = withFault(client, (lua) => {
        altered ||= lua.includes(from);
        return lua.replace(from, to);
      });
      const found = async (): Promise<boolean> => {
        for (let seed = 1; seed <= 400; seed++) {
          const caught = await new BrokerModel(context(faulty), seed).run(STEPS).then(
            () => false,
            () => true,
          );
          if (caught) return true;
        }
        return false;
      };
      expect(await found()).toBe(true);
      expect(altered).toBe(true);
    });
  });
});
