// What a look costs: each GET of the API asks Redis for the same bounded number of commands with 100 and with 100,000 deliveries
// in a queue, keys in it and dead letters.

import { afterAll, beforeAll, expect, test } from "vitest";
import { AdminApi } from "../../support/admin-api.ts";
import { envelope } from "../../support/broker.ts";
import { type RedisServer, startRedisServer, withServer } from "../../support/redis.ts";

/** Commands of one request, those inside of scripts included. */
const BOUND = 1500;
const MANY = 100_000;

const sizes = { few: 100, many: MANY } as const;
const apis = new Map<keyof typeof sizes, AdminApi>();

let server: RedisServer | undefined;

const fillBoth = async (): Promise<void> => {
  server = await startRedisServer();
  for (const [name, size] of Object.entries(sizes)) {
    const api = await new AdminApi(server.url).start();
    apis.set(name as keyof typeof sizes, api);
    await fill(api, size);
  }
};
const stopBoth = async (): Promise<void> => {
  for (const api of apis.values()) await api.stop();
  await server?.stop();
};

/** As much waiting, keyed, delayed and dead in one queue, and of a unit's outbox; a worker that has some of it. */
async function fill(api: AdminApi, size: number): Promise<void> {
  const { bench, client } = api;
  const { producer, context } = bench;
  const prefix = context.keys.queue("default");
  const PAGE = 5000;
  for (let at = 0; at < size; at += PAGE) {
    const count = Math.min(PAGE, size - at);
    const numbers = Array.from({ length: count }, (_, n) => at + n);
    await Promise.all(
      numbers.flatMap((n) => [
        producer.enqueue("default", { route: 1, envelope: envelope("plain") }),
        producer.enqueue("default", { route: 1, envelope: envelope("keyed"), key: `k${n}` }),
        producer.enqueue("default", { route: 1, envelope: envelope("later"), delayMs: 3_600_000 }),
        producer.enqueue("outbox/fake", { route: 0, envelope: envelope("said"), key: `#room${n}` }),
      ]),
    );
    // Written as `bury` does: to let so many die one by one takes minutes.
    const letters = numbers.map((n) => String(1_000_000_000_000 + n));
    await client.hset(`${prefix}:j`, ...letters.flatMap((id) => [id, envelope("dead")]));
    await client.zadd(`${prefix}:x`, ...letters.flatMap((id) => [id.slice(0, 13), id]));
    await client.hset(`${prefix}:xe`, ...letters.flatMap((id) => [id, `1:${id}:5:0:1\0reports.monthly: no\0`]));
  }
  const worker = await bench.worker("pod.1");
  await worker.take({ slots: 32, run: 4, order: "0123" });
  await api.done("POST", "/queues/default/pause", { key: "k7" });
  await bench.worker("pod.2");
  const line = JSON.stringify({
    id: "x",
    kind: "job",
    routes: ["reports.monthly"],
    outcome: "done",
    attempt: 1,
    ms: 1,
  });
  const lines = Array.from({ length: 50 }, () => line).join("\n");
  for (let chunk = 0; chunk < Math.min(size, 1000) / 50; chunk++)
    await client.lpush(`${prefix}:h`, lines, `50 ${1_700_000_000_000 + chunk} pod.1`);
}

async function commands({ client }: AdminApi): Promise<number> {
  const told = await client.info("commandstats");
  return [...told.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)].reduce(
    (sum, [, name, calls]) => sum + (/^(info|ping|client)/.test(name ?? "") ? 0 : Number(calls)),
    0,
  );
}

const LOOKS = [
  "/now",
  "/queues",
  "/queues/default",
  "/queues/default/history",
  "/queues/default/keys",
  "/queues/default/keys?cursor=250",
  "/jobs",
  "/jobs?state=waiting",
  "/jobs?state=delayed",
  "/jobs?state=claimed",
  "/jobs?state=dead",
  "/jobs?state=finished",
  "/jobs?route=reports.monthly",
  "/jobs?key=k50",
  "/jobs?text=nothing-has-this",
  "/jobs?text=nothing-has-this&queue=outbox%2Ffake",
  "/jobs?tag=none",
  "/jobs?limit=200",
  "/jobs/zzzzzzz",
  "/dead",
  "/dead?text=nothing-has-this",
  "/workers",
  "/runs",
  "/schedules",
  "/routes",
  "/chat",
  "/bus",
  "/leaders",
  "/audit",
  "/openapi.json",
  "/session",
];

withServer("redis-server", () => {
  beforeAll(fillBoth, 240_000);
  afterAll(stopBoth);

  test("there are as many deliveries as is said", async () => {
    const { body } = (await apis.get("many")?.ask("GET", "/queues/default")) ?? {};
    const { ready, delayed, dead, claimed } = body;
    expect({ sum: ready + claimed, delayed, dead }).toMatchObject({ dead: MANY });
    expect(ready + claimed).toBeGreaterThan(2 * MANY - 2);
    expect(delayed).toBeGreaterThanOrEqual(MANY);
  });

  test.for(LOOKS)("%s costs a bounded number of commands with 100 and with 100,000 of everything", async (path) => {
    const cost = async (api: AdminApi | undefined): Promise<number> => {
      if (api === undefined) throw new Error("not filled");
      await api.ask("GET", path); // whatever is loaded and remembered by the first one
      const before = await commands(api);
      const { status } = await api.ask("GET", path);
      expect(status).toBeLessThan(500);
      return (await commands(api)) - before;
    };
    const few = await cost(apis.get("few"));
    const many = await cost(apis.get("many"));
    expect(few).toBeLessThanOrEqual(BOUND);
    expect(many).toBeLessThanOrEqual(BOUND);
  });

  test("all dead letters are counted before they are run again, in no more commands for 100,000 than for 100", async () => {
    const cost = async (api: AdminApi | undefined): Promise<{ count: number; commands: number }> => {
      if (api === undefined) throw new Error("not filled");
      const before = await commands(api);
      const body = { action: "retry", filter: {}, dryRun: true };
      const answer = await api.done("POST", "/bulk", body);
      expect(answer.cursor).toBeUndefined();
      return { count: answer.count, commands: (await commands(api)) - before };
    };
    expect(await cost(apis.get("few"))).toMatchObject({ count: sizes.few });
    const { count, commands: asked } = await cost(apis.get("many"));
    expect(count).toBe(MANY);
    expect(asked).toBeLessThanOrEqual(BOUND);
  });

  test("each route that looks is among them", async () => {
    const document = await apis.get("few")?.get("/openapi.json");
    const told = Object.entries(document.paths as Record<string, object>).flatMap(([path, methods]) =>
      "get" in methods ? [path.replace("/api", "")] : [],
    );
    const pattern = (path: string): RegExp => new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/?]+")}(\\?|$)`);
    // A stream lasts, a result is waited for, and an examination reads everything: it says so, and is limited by itself.
    const besides = ["/live", "/doctor", "/jobs/{id}/result", "/schedules/{id}/history"];
    const missed = told.filter((path) => !besides.includes(path) && !LOOKS.some((look) => pattern(path).test(look)));
    expect(missed).toEqual([]);
  });
});
