// Raw Redis Streams with a consumer group: the limit. No order per key, no retry, no delay, nothing that a queue is for.

import { Redis } from "ioredis";
import { serve } from "./serve.ts";
import { Tally } from "./tally.ts";

const STREAM = "bench";
const GROUP = "workers";
const COUNT = 250;
let url = "";
let redis;

serve({
  async open(server) {
    url = server;
    redis = new Redis(url);
    await redis.xgroup("CREATE", STREAM, GROUP, "0", "MKSTREAM").catch(() => {}); // the other process has
  },
  enqueue(batch) {
    const pipeline = redis.pipeline();
    for (const { body } of batch) pipeline.xadd(STREAM, "*", "body", JSON.stringify(body));
    return pipeline.exec();
  },
  async work(_order, memory) {
    void run(new Redis(url), new Tally(memory));
  },
  loops() {
    throw new Error("One at a time is not what Streams are measured for.");
  },
});

/** Acknowledges a batch and reads the next in one round trip. */
async function run(reader, tally) {
  for (let done = []; ;) {
    const pipeline = reader.pipeline();
    if (done.length > 0) pipeline.xack(STREAM, GROUP, ...done);
    pipeline.xreadgroup("GROUP", GROUP, "one", "COUNT", COUNT, "BLOCK", 1000, "STREAMS", STREAM, ">");
    const replies = await pipeline.exec();
    const entries = replies.at(-1)[1]?.[0]?.[1] ?? [];
    done = entries.map(([id, [, text]]) => {
      tally.handled(JSON.parse(text).stamp);
      return id;
    });
  }
}
