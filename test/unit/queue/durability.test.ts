// A program without handlers that asks for more than Redis' reply.

import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { z } from "zod";
import { registerJobs, registerRoutes } from "../../../services/broker/routes.ts";
import { openQueue } from "../../../services/queue/queue.ts";
import { closeRedis, openRedis } from "../../../services/redis/connect.ts";
import { job } from "../../../services/sdk/index.ts";
import { Bench } from "../../support/broker.ts";
import { startRedisServer, testRedis, withServer } from "../../support/redis.ts";

const Note = job("note", z.string());

async function withNamespace<T>(url: string, work: (namespace: string) => Promise<T>): Promise<T> {
  const client = openRedis({ url, name: "queue-test", purpose: "commands", onState: () => {} });
  const namespace = `q${randomUUID()}`;
  const { context } = new Bench(client, namespace);
  await registerRoutes(context, ["notes.note"]);
  await registerJobs(context, new Map([["note", "notes.note"]]));
  return work(namespace).finally(() => closeRedis(client));
}

test("it is not opened on a server that could never prove it", async () => {
  const { url } = await testRedis();
  await expect(openQueue({ url, durability: "fsync" })).rejects.toMatchObject({ code: "DURABILITY_UNSUPPORTED" });
});

test("an enqueue that is not proven says so; one that asks for less does not", async () => {
  const { url } = await testRedis();
  await withNamespace(url, async (namespace) => {
    const queue = await openQueue({ url, namespace, durability: "replica" });
    try {
      const refused = queue.enqueue(Note, "a", { uid: "a" });
      await expect(refused).rejects.toMatchObject({ code: "DURABILITY_UNMET" });
      expect(await queue.enqueue(Note, "a", { uid: "a", durability: "default" })).toMatchObject({ duplicate: true });
    } finally {
      await queue.close();
    }
  });
});

withServer("redis-server", () => {
  test("on a server that syncs before each reply it is opened, and enqueues", async () => {
    const server = await startRedisServer(["--appendonly", "yes", "--appendfsync", "always"]);
    try {
      await withNamespace(server.url, async (namespace) => {
        const queue = await openQueue({ url: server.url, namespace, durability: "fsync" });
        const { id } = await queue.enqueue(Note, "a").finally(() => queue.close());
        expect(id).toMatch(/^[0-9a-z]+$/);
      });
    } finally {
      await server.stop();
    }
  });
});
