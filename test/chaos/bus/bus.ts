// What we break: the bus, by random schedules of readers, publishers, trimming, loss, kills and restarts. Most of them run
// within this process; some over real sockets, with processes and a Redis that are killed by SIGKILL.

import { RedisBusServer } from "../../support/bus-servers.ts";
import { startRedisServer } from "../../support/redis.ts";
import { type ChaosOptions, count, type Finding } from "../findings.ts";
import { insideSchedules, type Sum } from "./inside.ts";
import { socketSchedules, type SocketSum } from "./sockets.ts";

/** Of all schedules. */
const SOCKET_SHARE = 0.06;
const BATCH = 500;
const PROBLEMS_SHOWN = 30;

export async function busSchedules({ times, note }: ChaosOptions): Promise<Finding> {
  const seed = Math.floor(Math.random() * 1e9);
  const sockets = Math.max(1, Math.ceil(times * SOCKET_SHARE));
  const inside = await allInside({ from: seed, count: times - sockets, note });
  const overSockets = await socketSchedules({ schedules: sockets, seed, note });
  return findingOf(inside, overSockets, seed);
}

interface Run {
  readonly from: number;
  readonly count: number;
  readonly note: (text: string) => void;
}

async function allInside({ from, count: all, note }: Run): Promise<Sum> {
  const redis = await startRedisServer();
  const server = new RedisBusServer(redis.url);
  const sums: Sum[] = [];
  try {
    for (let done = 0; done < all; done += BATCH) {
      const size = Math.min(BATCH, all - done);
      sums.push(await insideSchedules({ server, from: from + done, count: size }));
      note(`bus, in one process: ${done + size} of ${all}`);
    }
  } finally {
    await server.stop();
    await redis.stop();
  }
  return {
    schedules: sums.reduce((sum, { schedules }) => sum + schedules, 0),
    heard: sums.reduce((sum, { heard }) => sum + heard, 0),
    gaps: sums.reduce((sum, { gaps }) => sum + gaps, 0),
    problems: sums.flatMap(({ problems }) => problems),
  };
}

function findingOf(inside: Sum, sockets: SocketSum, seed: number): Finding {
  const problems = [...inside.problems, ...sockets.problems];
  const name = "random schedules of the bus";
  return {
    name: "bus",
    conditions: [
      `first seed ${seed}`,
      "in one process: two buses on one Redis, three readers; channels trimmed and lost, connections killed, buses closed and opened",
      "over sockets: three processes behind one address, Redis with appendfsync always; both killed by SIGKILL, connections cut",
    ],
    rows: [
      count(`${name}, all`, inside.schedules + sockets.schedules),
      count(`${name}, over real sockets`, sockets.schedules),
      count(`${name}: messages published over sockets`, sockets.published),
      count(`${name}: messages heard`, inside.heard + sockets.heard),
      count(`${name}: SIGKILLs of Redis`, sockets.redisKills),
      count(`${name}: SIGKILLs of workers`, sockets.workerKills),
      count(`${name}: connections cut`, sockets.cuts),
      count(`${name}: gaps that readers were told of`, inside.gaps + sockets.gaps),
      count(`${name}: messages lost without a word, doubled or out of order`, problems.length, { is: 0 }),
    ],
    problems: problems.slice(0, PROBLEMS_SHOWN),
  };
}
