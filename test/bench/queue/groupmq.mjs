// GroupMQ as a subject, with its batching of enqueues; what is enqueued alone goes alone. Strict order per group.

import { Queue, Worker } from "groupmq";
import { Redis } from "ioredis";
import { serve } from "./serve.ts";
import { Tally } from "./tally.ts";

const NAMESPACE = "bench";
const OPTIONS = { namespace: NAMESPACE, keepCompleted: 0 };
let url = "";
let single;
let batched;

serve({
  async open(server) {
    url = server;
    const redis = () => new Redis(url, { maxRetriesPerRequest: null });
    single = new Queue({ ...OPTIONS, redis: redis() });
    batched = new Queue({ ...OPTIONS, redis: redis(), autoBatch: { size: 500, maxWaitMs: 1 } });
  },
  enqueue(batch) {
    const queue = batch.length === 1 ? single : batched;
    return Promise.all(
      batch.map(({ body, key, delayMs }) => {
        return queue.add({ groupId: key === "" ? "none" : key, data: body, ...(delayMs > 0 && { delay: delayMs }) });
      }),
    );
  },
  work: ({ slots }, memory) => work(slots, memory),
  loops: ({ loops }, memory) => Promise.all(Array.from({ length: loops }, () => work(1, memory))),
});

async function work(concurrency, memory) {
  const tally = new Tally(memory);
  const queue = new Queue({ ...OPTIONS, redis: new Redis(url, { maxRetriesPerRequest: null }) });
  const worker = new Worker({
    queue,
    concurrency,
    handler: async (job) => tally.handled(job.data.stamp),
    onError: (error) => console.error(error),
  });
  void worker.run();
}
