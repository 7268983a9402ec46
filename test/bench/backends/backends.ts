// The benchmark `backends`: what a bus costs in Postgres, beside the same bus in Redis. Publisher and reader share a process.

import { randomUUID } from "node:crypto";
import { type MessageBus, openBus, type OpenBusOptions } from "../../../services/bus/plugin.ts";
import { startPostgres } from "../../support/postgres.ts";
import type { BenchOptions } from "../benches.ts";
import { redisVersion, startRedis } from "../redis.ts";
import type { Finished, Row } from "../report.ts";
import { median, quantile } from "../statistics.ts";

interface Subject {
  readonly name: string;
  readonly backend: "redis" | "postgres";
  /** Behind the URL. */
  readonly query?: string;
}

const PEER = "Redis, AOF always";
const SUBJECTS: readonly Subject[] = [
  { name: PEER, backend: "redis" },
  { name: "Postgres", backend: "postgres" },
  { name: "Postgres, asynchronous commit", backend: "postgres", query: "?options=-c%20synchronous_commit%3Doff" },
];
const CALLERS = 512;
const BODY_BYTES = 256;
const DATA = "x".repeat(BODY_BYTES - 2);
const MEASURES = ["stored", "one, p50", "heard, p50", "heard, p99"] as const;
type Measured = Readonly<Record<(typeof MEASURES)[number], number>>;

/** Takes about three times its seconds for each of the subjects and rounds. */
export async function backends({ rounds, seconds, note }: BenchOptions): Promise<Finished> {
  const samples = new Map<string, number[]>();
  for (let round = 1; round <= rounds; round++) {
    for (const subject of round % 2 === 0 ? SUBJECTS.toReversed() : SUBJECTS) {
      const measured = await measure(subject, seconds);
      for (const what of MEASURES) {
        const name = `${subject.name}: ${what}`;
        samples.set(name, [...(samples.get(name) ?? []), measured[what]]);
      }
      note(`round ${round}, ${subject.name}: ${JSON.stringify(measured)}`);
    }
  }
  return { name: "backends", conditions: await conditions(rounds, seconds), rows: rowsOf(samples) };
}

async function measure({ backend, query = "" }: Subject, seconds: number): Promise<Measured> {
  const server = backend === "redis" ? await startRedis("AOF always") : await startPostgres(["fsync=on"]);
  const options: OpenBusOptions = { backend, url: `${server.url}${query}`, namespace: `b${randomUUID()}` };
  const buses: MessageBus[] = [];
  try {
    const [here, there] = [await openBus(options), await openBus(options)];
    buses.push(here, there);
    const publish = (): Promise<unknown> => here.publish("/quiet", DATA);
    await repeat(publish, { callers: CALLERS, ms: 500 });
    const many = await repeat(publish, { callers: CALLERS, ms: seconds * 1000 });
    const one = await repeat(publish, { callers: 1, ms: seconds * 1000 });
    const heard = await hear(here, there, seconds * 1000);
    return {
      stored: many.length / seconds,
      "one, p50": quantile(one, 0.5),
      "heard, p50": quantile(heard, 0.5),
      "heard, p99": quantile(heard, 0.99),
    };
  } finally {
    for (const bus of buses) await bus.close();
    await server.stop();
  }
}

/** Each caller calls again when the last call has ended. How long each took, ms. */
async function repeat(
  act: () => Promise<unknown>,
  { callers, ms }: { callers: number; ms: number },
): Promise<number[]> {
  const took: number[] = [];
  const end = performance.now() + ms;
  const caller = async (): Promise<void> => {
    for (let before = performance.now(); before < end; before = performance.now()) {
      await act();
      took.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return took;
}

/** One message at a time, from the call of publish to the listener on the other bus. */
async function hear(here: MessageBus, there: MessageBus, ms: number): Promise<number[]> {
  let heard = Promise.withResolvers<void>();
  await there.subscribe("/heard", () => heard.resolve());
  return await repeat(
    async () => {
      heard = Promise.withResolvers();
      await Promise.all([here.publish("/heard", DATA), heard.promise]);
    },
    { callers: 1, ms },
  );
}

async function conditions(rounds: number, seconds: number): Promise<string[]> {
  const server = await startPostgres();
  const version = String((await server.ask("SHOW server_version"))[0]?.["server_version"]);
  await server.stop();
  return [
    `redis-server ${redisVersion()} with appendfsync always, Postgres ${version} with its defaults; both write to the disk of this machine`,
    `messages of ${BODY_BYTES} bytes on one channel that keeps 1,000; publisher and reader share a process`,
    `medians of ${rounds} rounds of ${seconds} s, of which each second one goes through them backwards`,
  ];
}

function rowsOf(samples: ReadonlyMap<string, readonly number[]>): Row[] {
  return SUBJECTS.flatMap(({ name }) =>
    MEASURES.map((what): Row => {
      const value = median(samples.get(`${name}: ${what}`) ?? []);
      const isRate = what === "stored";
      const row = {
        name: `${name}: ${isRate ? `stored, ${CALLERS} callers` : what}`,
        value,
        unit: isRate ? "/s" : "ms",
      };
      return name === PEER ? row : { ...row, peer: PEER, peerValue: median(samples.get(`${PEER}: ${what}`) ?? []) };
    }),
  );
}
