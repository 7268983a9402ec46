// `antiphon doctor` as operators meet it: what it prints, its exit codes, and that it writes only when told to.

import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { encodeEnvelope } from "../../services/broker/delivery.ts";
import type { BrokerContext } from "../../services/broker/connection.ts";
import { Producer } from "../../services/broker/producer.ts";
import { closeRedis, openRedis, type RedisClient } from "../../services/redis/connect.ts";
import { Keys } from "../../services/redis/keys.ts";
import { type RedisServer, startRedisServer, withServer } from "../support/redis.ts";

const MAIN = new URL("../../services/main.ts", import.meta.url).pathname;

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly problems: string;
}

withServer("redis-server", () => {
  let server: RedisServer;
  let client: RedisClient;
  let namespace: string;
  let context: BrokerContext;

  beforeAll(async () => {
    server = await startRedisServer();
    client = openRedis({ url: server.url, name: "doctor", purpose: "commands", onState: () => {} });
  });
  afterAll(async () => {
    await closeRedis(client);
    await server.stop();
  });
  beforeEach(async () => {
    namespace = `t${randomUUID()}`;
    context = { client, keys: new Keys(namespace, 0) };
    const producer = new Producer({ ...context, limits: { deliveries: 1e6, bytes: 1e9 }, random: Math.random });
    const envelope = encodeEnvelope({ v: 1, kind: "job", key: "k" }, "{}");
    await producer.enqueueAll("default", [
      { route: 1, envelope, key: "k" },
      { route: 1, envelope, key: "k" },
    ]);
    await producer.enqueue("other", { route: 1, envelope });
  });

  const doctor = (...words: string[]): Ran => doctorOf(server.url, ...words);
  const doctorOf = (redisUrl: string, ...words: string[]): Ran => {
    const env = { ...process.env, REDIS_URL: redisUrl, ANTIPHON_NAMESPACE: namespace };
    const ran = spawnSync(process.execPath, [MAIN, "doctor", ...words], { env, encoding: "utf8", timeout: 60_000 });
    return { code: ran.status, out: ran.stdout, problems: ran.stderr };
  };
  const breakKey = (): Promise<number> => client.del(`${context.keys.queue("default")}:r1`);

  test("all is well: says so and ends with 0", () => {
    const { code, out, problems } = doctor();
    expect([code, problems]).toEqual([0, ""]);
    expect(out).toMatch(/Looked at 2 queues with 3 deliveries\.\nAll is well\.\n$/);
  });

  test("says what endangers a bot before anything is lost; a problem of Redis itself ends with 1", async () => {
    expect(doctor().out).toMatch(
      /^Redis, persistence: warning\. It keeps nothing.* Remedy: CONFIG SET appendonly yes/m,
    );
    await client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    const unfit = doctor();
    await client.call("CONFIG", "SET", "maxmemory-policy", "noeviction");
    expect(unfit.code).toBe(1);
    expect(unfit.out).toMatch(/^Redis, server: problem\. .*noeviction/m);
    expect(unfit.out).toContain("Redis itself has a problem");
  });

  test("a server that cannot be asked is one sentence with what to do, and no more", async () => {
    expect(doctorOf("redis://127.0.0.1:1")).toEqual({
      code: 1,
      out: "",
      problems: expect.stringMatching(
        /^Redis does not answer\. connect ECONNREFUSED 127\.0\.0\.1:1\nRemedy: .*\n$/,
      ) as string,
    });
    expect(doctorOf(server.url.replace("//", "//nobody:wrong@"))).toEqual({
      code: 1,
      out: "",
      problems: expect.stringMatching(
        /^This Redis cannot be used .* \(WRONGPASS .*\)\. Remedy: correct REDIS_URL\.\n$/,
      ) as string,
    });
  });

  test("what its user lacks is told also where nothing else can be looked at", async () => {
    await client.call("ACL", "SETUSER", "bot", "on", ">pw", "~*", "&*", "+@all", "-smembers", "-eval", "-evalsha");
    const { code, out, problems } = doctorOf(server.url.replace("//", "//bot:pw@"));
    await client.call("ACL", "DELUSER", "bot");
    expect([code, problems]).toEqual([1, ""]);
    expect(out).toMatch(/^Redis, permissions: problem\. .*smembers.* Remedy: ACL SETUSER bot \+.*smembers/m);
    expect(out).toMatch(/^Nothing else can be looked at as long as Redis answers: NOPERM .*$/m);
    await client.call("ACL", "SETUSER", "bot", "on", ">pw", "-@all", "+ping", "+acl");
    const blind = doctorOf(server.url.replace("//", "//bot:pw@"));
    await client.call("ACL", "DELUSER", "bot");
    expect(blind.code).toBe(1);
    expect(blind.out).toMatch(/^Redis, server: problem\. Its user may not run INFO\. Remedy: grant it \+info/m);
    expect(blind.out).toMatch(
      /^Redis, permissions: problem\. .* and \d+ others\. Remedy: ACL SETUSER bot .*\+evalsha/m,
    );
    expect(blind.out).toMatch(/^Nothing else can be looked at/m);
  });

  test("says what is wrong and ends with 1; mends it when told to, and ends with 0", async () => {
    await breakKey();
    const told = doctor();
    expect(told.code).toBe(1);
    expect(told.out).toContain('default: Key "k" has deliveries and is neither in line, claimed nor waiting.\n');
    expect(told.out).toContain("antiphon doctor --repair mends it.");
    expect(await client.exists(`${context.keys.queue("default")}:r1`)).toBe(0);
    const mended = doctor("--repair");
    expect(mended).toMatchObject({ code: 0, out: expect.stringContaining("All is well again.") as string });
    expect(mended.out).toContain(": it is put in line.");
    expect(await client.lrange(`${context.keys.queue("default")}:r1`, 0, -1)).toEqual(["k"]);
    expect(doctor().code).toBe(0);
  });

  test("--json gives one object for machines", async () => {
    await breakKey();
    const { code, out } = doctor("--json");
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual({
      environment: expect.arrayContaining([
        { name: "permissions", state: "ok", detail: "user default" },
        expect.objectContaining({ name: "persistence", state: "warning" }),
      ]) as unknown,
      sound: false,
      queues: ["default", "other"],
      deliveries: 3,
      more: 0,
      findings: [
        {
          queue: "default",
          code: "key-nowhere",
          about: "k",
          sentence: 'Key "k" has deliveries and is neither in line, claimed nor waiting.',
          mended: false,
          harmless: false,
        },
      ],
    });
  });

  test("--queue looks at one queue; an unknown one is a problem", async () => {
    await breakKey();
    expect(doctor("--queue", "other")).toMatchObject({
      code: 0,
      out: "Looked at 1 queue with 1 delivery.\nAll is well.\n",
    });
    expect(doctor("--queue", "default").code).toBe(1);
    expect(doctor("--queue", "othr")).toMatchObject({ code: 1, out: "There is no queue othr.\n" });
    expect(doctor("--queu", "other")).toMatchObject({
      code: 2,
      problems: expect.stringContaining("--queue") as string,
    });
  });
});
