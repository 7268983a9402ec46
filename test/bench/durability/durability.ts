// The benchmark `durability`: what an enqueue costs whose acknowledgement waits for a replica or for the disk.

import { randomUUID } from "node:crypto";
import { encodeEnvelope } from "../../../services/broker/delivery.ts";
import { Producer } from "../../../services/broker/producer.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import type { Durability } from "../../../services/redis/durable.ts";
import { Keys } from "../../../services/redis/keys.ts";
import type { BenchOptions } from "../benches.ts";
import { type BenchRedis, type Persistence, redisVersion, startRedis } from "../redis.ts";
import type { Finished, Row } from "../report.ts";
import { median, quantile } from "../statistics.ts";

interface Subject {
  readonly name: string;
  readonly durability: Durability;
  readonly persistence: Persistence;
  readonly replica?: true;
  /** The same server with the default durability. */
  readonly peer?: string;
}

const SUBJECTS: readonly Subject[] = [
  { name: "default, AOF off", durability: "default", persistence: "AOF off" },
  { name: "default, AOF everysec", durability: "default", persistence: "AOF everysec" },
  { name: "default, a replica", durability: "default", persistence: "AOF off", replica: true },
  { name: "replica", durability: "replica", persistence: "AOF off", replica: true, peer: "default, a replica" },
  { name: "fsync, AOF always", durability: "fsync", persistence: "AOF always", peer: "default, AOF everysec" },
];
const CALLERS = 512;
const BODY_BYTES = 200;
const LIMITS = { deliveries: 100_000_000, bytes: 1 << 30 };
const SYNCED_MS = 10_000;

/** Takes about four times its seconds for each of the five subjects and rounds. */
export async function durability({ rounds, seconds, note }: BenchOptions): Promise<Finished> {
  const samples = new Map<string, number[]>();
  for (let round = 1; round <= rounds; round++) {
    for (const subject of round % 2 === 0 ? SUBJECTS.toReversed() : SUBJECTS) {
      const measured = await measure(subject, seconds);
      for (const [what, value] of Object.entries(measured)) {
        const name = `${what} ${subject.name}`;
        samples.set(name, [...(samples.get(name) ?? []), value]);
      }
      note(`round ${round}, ${subject.name}: ${JSON.stringify(measured)}`);
    }
  }
  return { name: "durability", conditions: conditions(rounds, seconds), rows: rowsOf(samples) };
}

async function measure(subject: Subject, seconds: number): Promise<Record<string, number>> {
  const server = await startRedis(subject.persistence);
  const client = openRedis({ url: server.url, name: "bench", purpose: "commands", onState: () => {} });
  const replica = subject.replica ? await replicaOf(server, client) : undefined;
  try {
    const context = { client, keys: new Keys(`b${randomUUID()}`, 0), durability: subject.durability };
    const producer = new Producer({ ...context, limits: LIMITS, random: Math.random });
    await enqueueFor(producer, { callers: CALLERS, ms: 500 });
    const many = await enqueueFor(producer, { callers: CALLERS, ms: seconds * 1000 });
    const one = await enqueueFor(producer, { callers: 1, ms: seconds * 1000 });
    return {
      rate: many.length / seconds,
      "p99 of many": quantile(many, 0.99),
      p50: quantile(one, 0.5),
      p99: quantile(one, 0.99),
    };
  } finally {
    await closeRedis(client);
    await replica?.stop();
    await server.stop();
  }
}

async function replicaOf(server: BenchRedis, client: RedisClient): Promise<BenchRedis> {
  await client.call("CONFIG", "SET", "repl-diskless-sync-delay", "0");
  const replica = await startRedis("AOF off", ["--replicaof", "127.0.0.1", new URL(server.url).port]);
  const end = performance.now() + SYNCED_MS;
  while (!(await client.info("replication")).includes("state=online")) {
    if (performance.now() > end) throw new Error("The replica did not follow.");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return replica;
}

/** Each caller enqueues its next job when the last one was acknowledged. How long each took, ms. */
async function enqueueFor(producer: Producer, { callers, ms }: { callers: number; ms: number }): Promise<number[]> {
  const envelope = encodeEnvelope({ v: 1, kind: "job" }, JSON.stringify({ text: "x".repeat(BODY_BYTES - 11) }));
  const took: number[] = [];
  const end = performance.now() + ms;
  const caller = async (): Promise<void> => {
    for (let at = performance.now(); at < end; at = performance.now()) {
      await producer.enqueue("default", { route: 1, envelope });
      took.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return took;
}

const WHATS = [
  { what: "rate", said: `${CALLERS} callers`, unit: "/s" },
  { what: "p99 of many", said: `${CALLERS} callers, p99`, unit: "ms" },
  { what: "p50", said: "one caller, p50", unit: "ms" },
  { what: "p99", said: "one caller, p99", unit: "ms" },
];

function rowsOf(samples: ReadonlyMap<string, readonly number[]>): Row[] {
  const value = (what: string, subject: string): number => median(samples.get(`${what} ${subject}`) ?? []);
  return SUBJECTS.flatMap(({ name, peer }) =>
    WHATS.map(({ what, said, unit }): Row => {
      const compared = peer === undefined ? {} : { peer, peerValue: value(what, peer) };
      return { name: `${name}: ${said}`, value: value(what, name), unit, ...compared };
    }),
  );
}

function conditions(rounds: number, seconds: number): string[] {
  return [
    `redis-server ${redisVersion()}; the peer is Antiphon with the default durability on the same kind of server`,
    "fsync: a server before 7.2 has no WAITAOF, so each of its replies waits for the disk (appendfsync always)",
    `jobs of ${BODY_BYTES} bytes, one after another per caller; medians of ${rounds} rounds in alternating order, ${seconds} s each; producer, server and replica share the cores and the disk`,
  ];
}
