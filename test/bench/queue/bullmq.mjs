// BullMQ as a subject. Finished jobs are removed at once, which is the least it can do; Antiphon keeps its default history.

import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { serve } from "./serve.ts";
import { Tally } from "./tally.ts";

const NAME = "bench";
let url = "";
let queue;

serve({
  async open(server) {
    url = server;
    queue = new Queue(NAME, { connection: new Redis(url, { maxRetriesPerRequest: null }) });
    await queue.waitUntilReady();
  },
  enqueue(batch) {
    const jobs = batch.map(({ body, delayMs }) => {
      return { name: "count", data: body, opts: { removeOnComplete: true, ...(delayMs > 0 && { delay: delayMs }) } };
    });
    return jobs.length === 1 ? queue.add(jobs[0].name, jobs[0].data, jobs[0].opts) : queue.addBulk(jobs);
  },
  work: ({ slots }, memory) => work(slots, memory),
  loops: ({ loops }, memory) => Promise.all(Array.from({ length: loops }, () => work(1, memory))),
});

async function work(concurrency, memory) {
  const tally = new Tally(memory);
  const worker = new Worker(NAME, async (job) => tally.handled(job.data.stamp), {
    connection: new Redis(url, { maxRetriesPerRequest: null }),
    concurrency,
  });
  worker.on("error", (error) => console.error(error));
  await worker.waitUntilReady();
}
