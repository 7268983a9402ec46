// Random schedules over real sockets: several processes serve, a real Redis keeps what it has, and both are killed by SIGKILL
// while many channels are published on and read. Each channel with its readers is a schedule of its own.

import { setTimeout as pause } from "node:timers/promises";
import { type MessageBus, openBus } from "../../../services/bus/plugin.ts";
import { Fleet } from "../../conformance/bus/fleet.ts";
import { seeded } from "../../support/seeded.ts";
import { waitFor } from "../../support/wait-for.ts";
import { KeptRedis } from "../voice/kept-redis.ts";
import { Account, Published } from "./account.ts";
import { SocketReader } from "./reader.ts";

export interface SocketOptions {
  readonly schedules: number;
  readonly seed: number;
  readonly note: (text: string) => void;
}

export interface SocketSum {
  readonly schedules: number;
  readonly readers: number;
  readonly heard: number;
  readonly published: number;
  readonly gaps: number;
  readonly redisKills: number;
  readonly workerKills: number;
  readonly cuts: number;
  readonly problems: readonly string[];
}

const WORKERS = 3;
/** Schedules that share one run of kills. */
const AT_ONCE = 50;
const READERS = 2;
const ROUND_MS = 6_000;
const HELD_MS = 2_500;
const AWAY_MS_MAX = 600;
const SETTLE_MS = 90_000;

export async function socketSchedules({ schedules, seed, note }: SocketOptions): Promise<SocketSum> {
  const redis = await KeptRedis.start("always");
  const namespace = `chaos-${process.pid}`;
  let fleet: Fleet | undefined;
  let publisher: MessageBus | undefined;
  try {
    publisher = await openBus({ backend: "redis", url: redis.url, namespace });
    fleet = await Fleet.start({ redisUrl: redis.url, namespace, workers: WORKERS, heldMs: HELD_MS });
    const stage = { redis, fleet, publisher, random: seeded(seed) };
    const sums: SocketSum[] = [];
    for (let done = 0; done < schedules; done += AT_ONCE) {
      sums.push(await round(stage, { first: done, count: Math.min(AT_ONCE, schedules - done) }));
      note(`bus, over sockets: ${done + AT_ONCE} of ${schedules}`);
    }
    return total(sums);
  } finally {
    await fleet?.stop();
    await publisher?.close();
    await redis.stop();
  }
}

interface Stage {
  readonly redis: KeptRedis;
  readonly fleet: Fleet;
  readonly publisher: MessageBus;
  readonly random: () => number;
}

/** One channel: its publisher's count, and who reads it. */
interface Lane {
  readonly channel: string;
  readonly published: Published;
  readonly readers: SocketReader[];
}

async function round(stage: Stage, { first, count }: { first: number; count: number }): Promise<SocketSum> {
  const lanes = Array.from({ length: count }, (_, index): Lane => {
    return { channel: `/s${first + index}`, published: new Published(), readers: [] };
  });
  const kills = { redis: 0, workers: 0, cuts: 0 };
  const end = performance.now() + ROUND_MS;
  const breaking = breakThings(stage, kills, end);
  await Promise.all(lanes.map((lane) => play(stage, lane, { kills, end })));
  await breaking;
  const problems = await settle(stage, lanes);
  await Promise.all(lanes.flatMap(({ readers }) => readers.map((reader) => reader.stop())));
  const accounts = lanes.flatMap(({ readers }) => readers.map(({ account }) => account));
  const sum = (of: (account: Account) => number): number => accounts.reduce((all, one) => all + of(one), 0);
  return {
    schedules: count,
    readers: accounts.length,
    heard: sum(({ heardCount }) => heardCount),
    published: lanes.reduce((all, { published }) => all + published.last("p"), 0),
    gaps: sum(({ gapCount }) => gapCount),
    redisKills: kills.redis,
    workerKills: kills.workers,
    cuts: kills.cuts,
    problems: [...problems, ...accounts.flatMap((account) => account.problems)],
  };
}

interface Kills {
  redis: number;
  workers: number;
  cuts: number;
}

/** Redis and workers, one after the other, at any moment. */
async function breakThings({ redis, fleet, random }: Stage, kills: Kills, end: number): Promise<void> {
  await pause(300 + random() * 1_000);
  while (performance.now() < end) {
    if (random() < 0.5) {
      await redis.kill();
      kills.redis++;
      await pause(random() * AWAY_MS_MAX);
      await redis.comeBack();
    } else {
      await fleet.kill();
      kills.workers++;
      await fleet.add();
    }
    await pause(random() * 1_000);
  }
}

/** Publishes now and then, trims now and then; readers come, are cut off, and come back. */
async function play(stage: Stage, lane: Lane, { kills, end }: { kills: Kills; end: number }): Promise<void> {
  const { publisher, random } = stage;
  while (performance.now() < end) {
    const dice = random();
    if (lane.readers.length < READERS && dice < 0.4) await come(stage, lane);
    else if (dice < 0.1 && lane.readers.length > 0) {
      lane.readers[Math.floor(random() * lane.readers.length)]?.cut();
      kills.cuts++;
    } else {
      const count = 1 + Math.floor(random() * 3);
      const trim = random() < 0.05 ? { maxMessages: 3 } : {};
      // Not waited for, while Redis is away least of all; its order is kept all the same.
      for (let n = 0; n < count; n++) void say(publisher, lane, trim);
    }
    await pause(random() * 400);
  }
  while (lane.readers.length < READERS) await come(stage, lane);
}

async function come({ fleet }: Stage, { channel, published, readers }: Lane): Promise<void> {
  const account = new Account(published);
  account.starts();
  const port = Number(new URL(fleet.url).port);
  const client = `${channel.slice(1)}r${readers.length}`;
  const reader = new SocketReader({ port, channel, client, account, from: -1 });
  readers.push(reader);
  await reader.isOpen;
  account.startsNow();
}

/** What is not stored at once waits in memory and is stored later: this publisher lives on. */
async function say(publisher: MessageBus, { channel, published }: Lane, trim: { maxMessages?: number }): Promise<void> {
  const message = published.next("p");
  await publisher.publish(channel, message, trim).catch(() => published.doubt(message));
}

async function settle({ publisher }: Stage, lanes: readonly Lane[]): Promise<string[]> {
  await waitFor(() => publisher.diagnostics().waiting === 0, { timeoutMs: SETTLE_MS, what: "all is written" });
  await Promise.all(lanes.map((lane) => say(publisher, lane, {})));
  await waitFor(() => publisher.diagnostics().waiting === 0, {
    timeoutMs: SETTLE_MS,
    what: "the last words are written",
  });
  const lastIds = await publisher.lastIds(lanes.map(({ channel }) => channel));
  const late = (): string[] =>
    lanes.flatMap(({ channel, readers }, index) =>
      readers.some(({ account }) => account.lastId < (lastIds[index] ?? 0))
        ? [`${channel}: a reader did not hear the last message`]
        : [],
    );
  await waitFor(() => late().length === 0, { timeoutMs: SETTLE_MS }).catch(() => {});
  for (const { readers } of lanes) for (const { account } of readers) account.end();
  return late();
}

function total(sums: readonly SocketSum[]): SocketSum {
  const sum = (of: (one: SocketSum) => number): number => sums.reduce((all, one) => all + of(one), 0);
  return {
    schedules: sum(({ schedules }) => schedules),
    readers: sum(({ readers }) => readers),
    heard: sum(({ heard }) => heard),
    published: sum(({ published }) => published),
    gaps: sum(({ gaps }) => gaps),
    redisKills: sum(({ redisKills }) => redisKills),
    workerKills: sum(({ workerKills }) => workerKills),
    cuts: sum(({ cuts }) => cuts),
    problems: sums.flatMap(({ problems }) => problems),
  };
}
