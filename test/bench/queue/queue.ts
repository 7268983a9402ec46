// The benchmark `queue`: work through the broker, beside BullMQ, GroupMQ and raw Redis Streams.

import { readFileSync } from "node:fs";
import type { BenchOptions } from "../benches.ts";
import { installPeers } from "../peers.ts";
import { redisVersion } from "../redis.ts";
import type { Finished } from "../report.ts";
import { BODY_BYTES } from "./body.ts";
import { rowsOf, type Scale } from "./rows.ts";
import { Samples } from "./samples.ts";
import { BATCH, promoteCost, SCENARIOS, SLOTS, takeCost } from "./scenarios.ts";

const SMALL = { waiting: 1_000, keys: 100 };
const LARGE = { waiting: 1_000_000, keys: 100_000 };

/** Takes about a minute a round with 2 s, and another one for the backlogs. */
export async function queue({ rounds, seconds, note, only }: BenchOptions): Promise<Finished> {
  installPeers();
  const samples = new Samples();
  for (let round = 1; round <= rounds; round++) {
    for (const { name, subjects, run } of SCENARIOS.filter(
      (scenario) => only === undefined || scenario.name === only,
    )) {
      // Whoever comes first in one round comes last in the next.
      for (const subject of round % 2 === 0 ? subjects.toReversed() : subjects) {
        const measured = await run(subject, seconds);
        samples.add(`${name} ${subject}`, measured);
        note(`round ${round}, ${name}, ${subject}: ${described(measured)}`);
      }
    }
  }
  const scale = only === undefined || only === "scale" ? await measureScale() : undefined;
  return { name: "queue", conditions: conditions(rounds, seconds), rows: rowsOf(samples, scale) };
}

async function measureScale(): Promise<Scale> {
  return {
    takeSmall: await takeCost(SMALL),
    takeLarge: await takeCost(LARGE),
    promoteSmall: await promoteCost(SMALL.waiting),
    promoteLarge: await promoteCost(LARGE.waiting),
  };
}

function described(measured: Readonly<Record<string, number>>): string {
  return Object.entries(measured)
    .map(([what, value]) => `${what} ${value >= 100 ? Math.round(value) : value.toFixed(2)}`)
    .join(", ");
}

function conditions(rounds: number, seconds: number): string[] {
  return [
    `BullMQ ${version("bullmq")} (finished jobs removed at once), GroupMQ ${version("groupmq")} (enqueues batched), ioredis ${version("ioredis")} for the peers`,
    `redis-server ${redisVersion()}, AOF off`,
    `jobs of ${BODY_BYTES} bytes of JSON, parsed for the handler, which only counts`,
    "Antiphon with its default history, its handlers in a thread, everything else in their process",
    `enqueue: ${BATCH} jobs a batch, two batches under way; process: ${SLOTS} at once, counted after a tenth of the jobs`,
    "raw Streams: 250 a read and an acknowledgement",
    `medians of ${rounds} rounds in alternating order, each subject about ${seconds} s on a fresh server`,
    "client, server and worker are processes that share the cores",
  ];
}

function version(name: string): string {
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
