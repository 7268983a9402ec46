// The benchmark `bus`: streams, publishing and memory, beside Socket.IO and a plain server of server-sent events.

import { readFileSync } from "node:fs";
import type { BenchOptions } from "../benches.ts";
import { installPeers } from "../peers.ts";
import { Measurer } from "../processes.ts";
import { redisVersion, startRedis } from "../redis.ts";
import type { Finished } from "../report.ts";
import { quantile } from "../statistics.ts";
import type { FromLoad, FromSubject, Speech, ToLoad, ToSubject } from "./protocol.ts";
import { BODY_BYTES } from "./protocol.ts";
import { rowsOf, type Samples } from "./rows.ts";

export type Name = "antiphon" | "socketio" | "sse" | "held";

interface Subject {
  readonly entry: URL;
  readonly speech: Speech;
}

const entry = (file: string): URL => new URL(file, import.meta.url);
const SUBJECTS: Readonly<Record<Name, Subject>> = {
  antiphon: { entry: entry("antiphon.ts"), speech: "poll" },
  socketio: { entry: entry("socketio.mjs"), speech: "websocket" },
  sse: { entry: entry("sse.mjs"), speech: "sse" },
  held: { entry: entry("held.mjs"), speech: "held" },
};

const STREAMS = 1_000;
/** To find out how fast it is; then as many as take the time that is asked for. */
const FIRST_BURST = 60;
/** A stream that does not drain must not be what limits the burst. */
const BURST_MAX = 1_500;
const IDLE_STREAMS = 8_000;
/** Before: a process that has just begun gives V8 its room for young objects first, whatever is opened. */
const WARM_STREAMS = 2_000;
const STORED_PER_SECOND = 10_000;
const LATE_MS = 120_000;

export async function bus({ rounds, seconds, note, only }: BenchOptions): Promise<Finished> {
  installPeers();
  const samples: Samples = new Map();
  const add = (subject: Name, what: string, value: number): void => {
    note(`${what}, ${subject}: ${value >= 100 ? Math.round(value) : value.toFixed(2)}`);
    const key = `${what} ${subject}`;
    samples.set(key, [...(samples.get(key) ?? []), value]);
  };
  for (let round = 0; round < rounds; round++) {
    for (const { name, subjects, run } of SCENARIOS.filter(({ name }) => only === undefined || name === only)) {
      // Whoever comes first in one round comes last in the next.
      for (const subject of round % 2 === 1 ? subjects.toReversed() : subjects) {
        for (const [what, value] of Object.entries(await run(subject, seconds))) add(subject, `${name} ${what}`, value);
      }
    }
  }
  return { name: "bus", conditions: conditions(rounds, seconds), rows: rowsOf(samples) };
}

type Measured = Readonly<Record<string, number>>;

interface Scenario {
  readonly name: string;
  readonly subjects: readonly Name[];
  readonly run: (subject: Name, seconds: number) => Promise<Measured>;
}

const SCENARIOS: readonly Scenario[] = [
  { name: "streams", subjects: ["antiphon", "socketio", "sse"], run: streams },
  { name: "publish", subjects: ["antiphon", "socketio"], run: publish },
  { name: "idle", subjects: ["antiphon", "socketio", "sse", "held"], run: idle },
  { name: "stalled", subjects: ["antiphon"], run: stalled },
];

class Pair {
  readonly subject: Measurer<ToSubject, FromSubject>;
  readonly load = new Measurer<ToLoad, FromLoad>(entry("load.ts"));

  constructor(subject: Name) {
    this.subject = new Measurer(SUBJECTS[subject].entry);
  }

  /** Publishes, and waits until every stream has all of it. */
  async play(messages: number, perSecond: number, readers = STREAMS): Promise<Extract<FromLoad, { type: "counted" }>> {
    this.load.tell({ type: "count", deliveries: messages * readers });
    this.subject.tell({ type: "burst", messages, perSecond });
    return await this.load.hear("counted", LATE_MS);
  }

  /** What the server has in memory, in bytes. */
  async memory(): Promise<number> {
    this.subject.tell({ type: "memory" });
    return (await this.subject.hear("memory", LATE_MS)).bytes;
  }
}

async function onPair<T>(name: Name, act: (pair: Pair, port: number) => Promise<T>): Promise<T> {
  const redis = await startRedis("AOF off");
  const pair = new Pair(name);
  try {
    pair.subject.tell({ type: "open", url: redis.url });
    const { port } = await pair.subject.hear("opened", LATE_MS);
    return await act(pair, port);
  } finally {
    await pair.load.end();
    await pair.subject.end();
    await redis.stop();
  }
}

async function openStreams(
  { load }: Pair,
  name: Name,
  { port, streams }: { port: number; streams: number },
): Promise<void> {
  load.tell({ type: "open", port, speech: SUBJECTS[name].speech, streams });
  await load.hear("opened", LATE_MS);
}

/** As fast as it goes, then at half of it. */
function streams(name: Name, seconds: number): Promise<Measured> {
  return onPair(name, async (pair, port) => {
    await openStreams(pair, name, { port, streams: STREAMS });
    const first = await pair.play(FIRST_BURST, 0);
    const perSecond = (FIRST_BURST / first.ms) * 1_000;
    const most = await pair.play(Math.min(BURST_MAX, Math.max(FIRST_BURST, Math.round(perSecond * seconds))), 0);
    const rate = (most.deliveries / most.ms) * 1_000;
    const half = rate / STREAMS / 2;
    const paced = await pair.play(Math.max(10, Math.round(half * seconds)), half);
    const [p50, p99] = [0.5, 0.99].map((share) => quantile(paced.latenciesMs, share));
    return { deliveries: rate, "half p50": p50 ?? Number.NaN, "half p99": p99 ?? Number.NaN };
  });
}

function publish(name: Name, seconds: number): Promise<Measured> {
  return onPair(name, async ({ subject }) => {
    // The first ones warm it up.
    for (const messages of [2_000, STORED_PER_SECOND * seconds]) {
      subject.tell({ type: "store", messages });
      const { ms } = await subject.hear("stored", LATE_MS);
      if (messages !== 2_000) return { rate: (messages / ms) * 1_000 };
    }
    return {};
  });
}

function idle(name: Name): Promise<Measured> {
  return onPair(name, async (pair, port) => {
    await openStreams(pair, name, { port, streams: WARM_STREAMS });
    const before = await pair.memory();
    await openStreams(pair, name, { port, streams: IDLE_STREAMS });
    return { KB: ((await pair.memory()) - before) / IDLE_STREAMS / 1_000 };
  });
}

/** At half of what it can do, without and with a reader that does not drain. */
function stalled(name: Name, seconds: number): Promise<Measured> {
  return onPair(name, async (pair, port) => {
    await openStreams(pair, name, { port, streams: STREAMS });
    const first = await pair.play(FIRST_BURST * 2, 0);
    const perSecond = (first.deliveries / first.ms / STREAMS / 2) * 1_000;
    const messages = Math.max(20, Math.round(perSecond * seconds));
    const without = await pair.play(messages, perSecond);
    pair.load.tell({ type: "stall" });
    const beside = await pair.play(messages, perSecond, STREAMS - 1);
    return { without: quantile(without.latenciesMs, 0.99), beside: quantile(beside.latenciesMs, 0.99) };
  });
}

function conditions(rounds: number, seconds: number): string[] {
  return [
    `Socket.IO ${version("socket.io")} over WebSocket, its Redis Streams adapter ${version("@socket.io/redis-streams-adapter")}, better-sse ${version("better-sse")}; redis-server ${redisVersion()}, AOF off`,
    `${STREAMS} streams, messages of ${BODY_BYTES} bytes; Antiphon's go through Redis and its backlog, the peers' stay in their process and are kept nowhere`,
    "Antiphon's streams: MessageBus' protocol, streamed; the same counter of bytes reads all of them",
    "publish: Antiphon until each is stored in its channel; Socket.IO through its adapter until all are in its stream",
    `idle: ${IDLE_STREAMS.toLocaleString("en")} streams more than ${WARM_STREAMS.toLocaleString("en")}, resident memory after the garbage was collected`,
    "recorded: message_bus 4.5.2 (Ruby 3.1, Puma), measured once on two cores of another day: not of this run",
    `medians of ${rounds} rounds in alternating order, about ${seconds} s each; server, streams and Redis share the cores`,
  ];
}

function version(name: string): string {
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
