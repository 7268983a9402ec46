// Acknowledgements that wait for a replica: of the producer, of the intake, of an enqueue in a run; and what they say when
// there is none.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { BrokerContext } from "../../../services/broker/connection.ts";
import { queueDepth } from "../../../services/broker/inspect.ts";
import { intake } from "../../../services/broker/intake.ts";
import { Producer } from "../../../services/broker/producer.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Bench, envelope, LIMITS } from "../../support/broker.ts";
import { Lab } from "../../support/handling.ts";
import { type RedisServer, startRedisServer, withServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

withServer("redis-server", () => {
  let primary: RedisServer;
  let replica: RedisServer;
  let client: RedisClient;
  let copy: RedisClient;
  let context: BrokerContext;
  let producer: Producer;

  beforeAll(async () => {
    primary = await startRedisServer(["--repl-diskless-sync-delay", "0"]);
    replica = await startRedisServer(["--replicaof", "127.0.0.1", String(primary.port)]);
    client = openRedis({ url: primary.url, name: "durable", purpose: "commands", onState: () => {} });
    copy = openRedis({ url: replica.url, name: "copy", purpose: "subscriber", onState: () => {} });
    await waitFor(async () => (await client.info("replication")).includes("state=online"));
  });
  beforeEach(() => {
    context = { ...new Bench(client).context, durability: "replica" };
    producer = new Producer({ ...context, limits: LIMITS, random: Math.random });
  });
  afterEach(async () => {
    replica.child.kill("SIGCONT");
    await waitFor(async () => (await client.wait(1, 1000)) === 1);
  });
  afterAll(async () => {
    await closeRedis(client);
    await closeRedis(copy);
    await replica.stop();
    await primary.stop();
  });

  const uid = { id: "once", ttlMs: 60_000 };
  const count = async (command: string): Promise<number> => {
    const stats = await client.info("commandstats");
    return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, "m").exec(stats)?.[1] ?? 0);
  };

  /** The replica has so many. Its connection was silent for as long as it stood still, and may be opened anew. */
  async function copied(queue: string, count: number): Promise<void> {
    const own = { ...context, client: copy };
    await waitFor(async () => (await queueDepth(own, queue)).ready === count);
  }

  describe("the producer", () => {
    test("what it answers is on the replica, and a batch is one question", async () => {
      const before = await count("wait");
      const all = Array.from({ length: 1200 }, (_, index) => ({ route: 1, envelope: envelope(`${index}`) }));
      await producer.enqueueAll("default", all);
      // Whoever asked in one tick shares the answer.
      expect((await count("wait")) - before).toBeLessThanOrEqual(3);
      await copied("default", 1200);
    });

    test("without the replica it says so in time; sent again it is a duplicate, and then proven", async () => {
      replica.child.kill("SIGSTOP");
      const refused = producer.enqueue("default", { route: 1, envelope: envelope("a"), uid });
      await expect(refused).rejects.toMatchObject({ code: "DURABILITY_UNMET", retryable: true });
      expect((await queueDepth(context, "default")).ready).toBe(1);
      replica.child.kill("SIGCONT");
      const again = await producer.enqueue("default", { route: 1, envelope: envelope("a"), uid });
      expect(again.duplicate).toBe(true);
      await copied("default", 1);
    });

    test("a delivery may ask for less, and does not wait for those that ask for more", async () => {
      replica.child.kill("SIGSTOP");
      const more = producer.enqueue("default", { route: 1, envelope: envelope("a") }).catch(() => "unmet");
      const less = producer.enqueue("default", { route: 1, envelope: envelope("b"), durability: "default" });
      const first = await Promise.race([more, less]);
      expect(first).toMatchObject({ duplicate: false });
      expect(await more).toBe("unmet");
    });
  });

  test("the intake acknowledges nothing that no replica has; the repeat is a duplicate, and proven", async () => {
    const call = { queue: "chat", limits: LIMITS, delivery: { route: 0, key: "k", envelope: envelope("e1"), uid } };
    replica.child.kill("SIGSTOP");
    await expect(intake(context, call)).rejects.toMatchObject({ code: "DURABILITY_UNMET" });
    replica.child.kill("SIGCONT");
    expect((await intake(context, call)).kind).toBe("duplicate");
    await copied("chat", 1);
  });

  test("an enqueue in a run waits out a replica that is away, and is no failure of the handler", async () => {
    const lab = new Lab(primary.url);
    try {
      const worker = await lab.work({ env: { ANTIPHON_DURABILITY: "replica" } });
      replica.child.kill("SIGSTOP");
      await lab.enqueue("tell", "x");
      // The first question has not been answered: its child is stored, and runs, while the run itself still waits.
      await waitFor(() => lab.lines.includes("note after x"));
      await waitFor(async () => (await queueDepth(lab.broker, "default")).claimed === 1);
      replica.child.kill("SIGCONT");
      await waitFor(async () => (await queueDepth(lab.broker, "default")).claimed === 0);
      expect(lab.lines.filter((line) => !line.startsWith("teardown"))).toEqual(["tell x", "note after x"]);
      expect(worker.told.filter(({ name }) => name === "run.failed")).toEqual([]);
    } finally {
      await lab.stop();
    }
  });

  test("what a server answered that is gone with it is sent once more to its successor", async () => {
    const { server, follower, stop } = await pair();
    let next: RedisServer | undefined;
    const own = openRedis({ url: server.url, name: "durable", purpose: "commands", onState: () => {} });
    try {
      const bench = new Bench(own);
      const durable = new Producer({ ...bench.context, durability: "replica", limits: LIMITS, random: Math.random });
      follower.child.kill("SIGSTOP");
      const late = durable.enqueue("default", { route: 1, envelope: envelope("b") });
      await waitFor(async () => (await queueDepth(bench.context, "default")).ready === 1);
      await server.stop();
      next = await startRedisServer([...PRIMARY, "--port", String(server.port)]);
      follower.child.kill("SIGCONT");
      expect((await late).duplicate).toBe(false);
      expect((await queueDepth(bench.context, "default")).ready).toBe(1);
    } finally {
      await closeRedis(own);
      await stop();
      await next?.stop();
    }
  });
});

const PRIMARY = ["--repl-diskless-sync-delay", "0"];

async function pair(): Promise<{ server: RedisServer; follower: RedisServer; stop: () => Promise<void> }> {
  const server = await startRedisServer(PRIMARY);
  const follower = await startRedisServer(["--replicaof", "127.0.0.1", String(server.port)]);
  const client = openRedis({ url: server.url, name: "pair", purpose: "subscriber", onState: () => {} });
  await waitFor(async () => (await client.info("replication")).includes("state=online"));
  await closeRedis(client);
  const stop = async (): Promise<void> => {
    await follower.stop();
    await server.stop();
  };
  return { server, follower, stop };
}
