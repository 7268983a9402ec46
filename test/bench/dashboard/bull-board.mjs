// bull-board over BullMQ as the peer: a process that fills a queue as far as it is told, and shows it.

import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { createBullBoard } from "@bull-board/api";
import { ExpressAdapter } from "@bull-board/express";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { createServer } from "node:http";

const NAME = "bench";
const BATCH = 1000;
const BATCHES_AT_ONCE = 4;
const FAILING = 200;
const HOUR_MS = 3_600_000;
/** What waits and has not been added then is left out, and the counts say so. */
const FILL_MS = 120_000;

process.once("disconnect", () => process.exit(0));
process.on("message", (order) => {
  show(order).then(
    (shown) => process.send(shown),
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
});

async function show({ url, amount }) {
  const connection = new Redis(url, { maxRetriesPerRequest: null, connectionName: "board" });
  const queue = new Queue(NAME, { connection });
  await queue.waitUntilReady();
  const startedAt = performance.now();
  await add(queue, amount.dead, { attempts: 1 });
  await failAll(url, amount.dead, queue);
  await add(queue, amount.delayed, { delay: HOUR_MS });
  await add(queue, amount.waiting, {}, performance.now() + FILL_MS);
  const ms = performance.now() - startedAt;
  const adapter = new ExpressAdapter();
  adapter.setBasePath("/");
  createBullBoard({ queues: [new BullMQAdapter(queue)], serverAdapter: adapter });
  const server = createServer(adapter.getRouter());
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const counts = await queue.getJobCounts("waiting", "delayed", "failed");
  return { type: "shown", port: server.address().port, ms, counts };
}

async function add(queue, count, opts, until = Number.POSITIVE_INFINITY) {
  let next = 0;
  const adding = async () => {
    while (next < count && performance.now() < until) {
      const numbers = Array.from({ length: Math.min(BATCH, count - next) }, (_, n) => next + n);
      next += numbers.length;
      await queue.addBulk(numbers.map((n) => ({ name: "mail.send", data: dataOf(n), opts })));
    }
  };
  await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, adding));
}

function dataOf(n) {
  return { to: `person-${n}@example.org`, order: n, text: "x".repeat(200) };
}

async function failAll(url, count, queue) {
  if (count === 0) return;
  const connection = new Redis(url, { maxRetriesPerRequest: null });
  const fail = () => Promise.reject(new Error("the bank did not answer"));
  const worker = new Worker(NAME, fail, { connection, concurrency: FAILING });
  worker.on("error", (error) => console.error(error));
  while ((await queue.getFailedCount()) < count) await new Promise((resolve) => setTimeout(resolve, 50));
  await worker.close();
  connection.disconnect();
}
