// What we break: 20 workers and 5 masters by SIGKILL, under 100 events a second whose runs last up to 2 s. What must hold:
// whatever was accepted is handled, in the order of its key, and nothing inside Redis happens twice.

import { afterAll, beforeAll, expect, test } from "vitest";
import { deadLetters } from "../../services/broker/dead.ts";
import { queueDepth } from "../../services/broker/inspect.ts";
import { closeRedis, openRedis, type RedisClient } from "../../services/redis/connect.ts";
import { Keys } from "../../services/redis/keys.ts";
import { randomId } from "../../services/runtime/ids.ts";
import { FakeChat } from "../support/fake-chat.ts";
import { type RedisServer, startRedisServer, withServer } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";
import { Fleet } from "./soak-fleet.ts";
import { interruptedWorkers, type Ledger, problemsOf } from "./soak-ledger.ts";
import { Load, type SoakEvent } from "./soak-load.ts";
import { HANDLER, orderField, type RunNote } from "./soak-words.ts";

const PER_SECOND = 100;
const RUN_MS_MAX = 2000;
const WORKERS = 4;
/**
 * Two workers at a time, so that what they ran can end elsewhere before the next strike and not everything crashes twice;
 * with every other strike a master, and then nobody sees that the workers are gone: what they ran is reaped by time.
 */
const STRIKES = 11;
const PAUSE_MS = 3500;
const PAUSE_AFTER_MASTER_MS = 7000;
/** Whoever serves has something to do after so long. */
const SETTLED_MS = 1000;
const LEASE_MS = 3000;
const CONCURRENCY = 128;
/** On a machine that has other things to do everything takes longer. */
const START_MS = 60_000;
const DRAIN_MS = 180_000;
const TEST_MS = 600_000;
const QUEUES = ["chat", "default", "outbox/fake"];

withServer("redis-server", () => {
  const namespace = `soak-${randomId()}`;
  const keys = new Keys(namespace, 0);
  const list = `${keys.tag}:test:runs`;
  let server: RedisServer;
  let chat: FakeChat;
  let redis: RedisClient;

  beforeAll(async () => {
    server = await startRedisServer();
    chat = await FakeChat.start({ idempotency: "none" });
    redis = openRedis({ url: server.url, name: "soak", purpose: "commands", onState: () => {} });
  });
  afterAll(async () => {
    await closeRedis(redis);
    await chat.stop();
    await server.stop();
  });

  test(
    "workers and masters are killed under load: nothing accepted is lost, out of order or done twice",
    async () => {
      const fleet = new Fleet({
        redisUrl: server.url,
        namespace,
        chat,
        list,
        leaseMs: LEASE_MS,
        concurrency: CONCURRENCY,
      });
      for (let count = 0; count < 2; count++) fleet.addMaster();
      for (let count = 0; count < WORKERS; count++) fleet.addWorker();
      await fleet.serve(WORKERS);
      await leaderOf(fleet);

      // 1. The load, and whom it meets.
      const workers = (): string[] => fleet.serving.flatMap(({ url }) => url ?? []);
      const load = new Load({ perSecond: PER_SECOND, runMsMax: RUN_MS_MAX, random: Math.random, chat, workers });
      load.start();
      await storm(fleet, load).finally(() => load.end());
      await load.sent();

      // 2. All of it is handled.
      const from = performance.now();
      const isOver = async (): Promise<boolean> => (await isSettled(load.lastSaid)) && (await unfinished()) === 0;
      await waitFor(isOver, { timeoutMs: DRAIN_MS, what: "everything is settled" }).catch((error: unknown) => {
        throw new Error(`${String(error)}; logs in ${fleet.keepLogs()}`, { cause: error });
      });
      const drainS = Math.round((performance.now() - from) / 1000);

      // 3. The account.
      const found = await ledger(load, fleet.takeovers);
      const interrupted = interruptedWorkers(found.notes);
      const hits = fleet.killedWorkers.filter(({ name }) => interrupted.has(name)).length;
      tell({ ...countsOf({ load, fleet, found }), "of them in a run": hits, "drained in s": drainS });
      const problems = [...problemsOf(found), ...(await dead()), ...load.strange];
      const where = problems.length > 0 ? `${problems.length} problems, logs in ${fleet.keepLogs()}` : "";
      expect(problems.slice(0, 30), where).toEqual([]);
      expect(load.accepted).toHaveLength(load.begun);
      expect(fleet.killedWorkers.length).toBeGreaterThanOrEqual(20);
      expect(fleet.killedMasters.length).toBeGreaterThanOrEqual(5);
      expect(hits).toBeGreaterThanOrEqual(fleet.killedWorkers.length / 2);
    },
    TEST_MS,
  );

  async function storm(fleet: Fleet, load: Load): Promise<void> {
    for (let strike = 0; strike < STRIKES; strike++) {
      const pauseMs = isMasterToo(strike - 1) ? PAUSE_AFTER_MASTER_MS : PAUSE_MS;
      const untilMs = load.ms + pauseMs * (0.75 + Math.random() / 2);
      await waitFor(() => load.ms >= untilMs, { timeoutMs: START_MS });
      await fleet.serve(WORKERS - 1, SETTLED_MS);
      for (const victim of fleet.serving.toSorted(() => Math.random() - 0.5).slice(0, 2))
        await fleet.killWorker(victim);
      if (isMasterToo(strike)) await fleet.killMaster(await leaderOf(fleet));
    }
  }

  function leaderOf(fleet: Fleet): Promise<NonNullable<Fleet["leader"]>> {
    return waitFor(() => fleet.leader, { timeoutMs: START_MS, what: "a master leads" });
  }

  /** Deliveries that are not finished and may still be. */
  async function unfinished(): Promise<number> {
    const depths = await Promise.all(QUEUES.map((name) => queueDepth({ client: redis, keys }, name)));
    return depths.reduce((sum, { stored, dead }) => sum + stored - dead, 0);
  }

  async function dead(): Promise<string[]> {
    const letters = await Promise.all(QUEUES.map((name) => deadLetters({ client: redis, keys }, name, { limit: 100 })));
    return letters.flat().map(({ id, key, reason }) => `dead letter ${id} ${key}: ${reason}`);
  }

  /** Lines of the fake chat service are taken in one after another: with the last one all are. */
  async function isSettled({ id, key }: SoakEvent): Promise<boolean> {
    const settled = await redis.hget(keys.store(HANDLER), orderField(key));
    return settled !== null && (JSON.parse(settled) as string[]).includes(id);
  }

  async function ledger(load: Load, takeovers: number): Promise<Ledger> {
    const notes = (await redis.lrange(list, 0, -1)).map((line) => JSON.parse(line) as RunNote);
    const stored = Object.entries(await redis.hgetall(keys.store(HANDLER)));
    const store = new Map(stored.map(([field, value]) => [field, JSON.parse(value) as string[]]));
    const names = new Set(load.accepted.filter(({ kind }) => kind === "web chat line").map(({ key }) => key));
    const sessions = new Map<string, { ref: string; text: string }[]>();
    for (const name of names) {
      const entries = await redis.xrange(`${keys.bus()}:s:/chat/${name}`, "-", "+");
      const shown = entries.map(([, fields]) => JSON.parse(fields[fields.indexOf("d") + 1] ?? "null") as never);
      sessions.set(name, shown);
    }
    return { accepted: load.accepted, notes, store, sessions, posts: chat.posts, takeovers };
  }
});

function isMasterToo(strike: number): boolean {
  return strike % 2 === 1;
}

function countsOf({ load, fleet, found }: { load: Load; fleet: Fleet; found: Ledger }): Record<string, number> {
  const runs = found.notes.filter(({ phase }) => phase === "begin").length;
  const posts = found.posts.length;
  return {
    seconds: Math.round(load.ms / 1000),
    events: load.begun,
    accepted: load.accepted.length,
    "sent again": load.repeats,
    runs,
    "cut off": runs - found.notes.filter(({ phase }) => phase === "end").length,
    "in quarantine": fleet.logged("quarantine.started").length,
    posts,
    "said again": posts - new Set(found.posts.map(({ actionId }) => actionId)).size,
    takeovers: found.takeovers,
    "master kills": fleet.killedMasters.length,
    "worker kills": fleet.killedWorkers.length,
  };
}

function tell(counts: Readonly<Record<string, number>>): void {
  const words = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  console.log(`soak: ${words.join(", ")}`);
}
