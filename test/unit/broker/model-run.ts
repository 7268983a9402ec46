// The broker's model by hand, for more steps than a test run has time for: node test/unit/broker/model-run.ts URL STEPS [SEED]

import { randomUUID } from "node:crypto";
import { closeRedis, openRedis } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { BrokerModel } from "../../support/broker-model.ts";

const STEPS_EACH = 40;
const SIDE_BY_SIDE = 10;
const TOLD_EVERY = 100_000;

const [url = "redis://127.0.0.1:6379", wanted = "10000000", from = "1000000"] = process.argv.slice(2);
const client = openRedis({ url, name: "model", purpose: "commands", onState: () => {} });
const counts = { steps: 0, enqueued: 0, settled: 0, zombieSettles: 0 };
let seed = Number(from);

async function one(): Promise<void> {
  const mine = seed++;
  const keys = new Keys(`m${randomUUID()}`, 0);
  const counted = await new BrokerModel({ client, keys }, mine).run(STEPS_EACH).catch((error: Error) => {
    throw new Error(`seed ${mine}: ${error.message}`, { cause: error });
  });
  for (const field of Object.keys(counts) as (keyof typeof counts)[]) counts[field] += counted[field];
  const left = await client.keys(`${keys.tag}:*`);
  if (left.length > 0) await client.del(...left);
}

let told = 0;
while (counts.steps < Number(wanted)) {
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, one));
  if (counts.steps - told < TOLD_EVERY) continue;
  told = counts.steps;
  console.log(new Date().toISOString(), counts, `next seed ${seed}`);
}
console.log("no break in", counts);
await closeRedis(client);
