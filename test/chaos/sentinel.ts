// What we break: the primary of a Sentinel set-up, killed or frozen under load. What must hold: another takes over, epochs
// grow over the failover, and what was accepted as durable on a replica is handled once and in order.

import { type RedisServer, startRedisServer } from "../support/redis.ts";
import { SentinelSetup } from "../support/sentinel.ts";
import { waitFor } from "../support/wait-for.ts";
import { type ChaosOptions, count, distribution, type Finding } from "./findings.ts";
import { SoakRun } from "./soak-run.ts";
import { type Entry, FenceLog } from "./voice/fence-log.ts";
import { fenceProblems, grants, overlapMs } from "./voice/judge.ts";
import { until } from "./voice/stage.ts";

const DOWN_AFTER_MS = 2_000;
const LEASE_MS = 6_000;
const PAUSE_MS = DOWN_AFTER_MS + LEASE_MS + 2_000;
const PER_SECOND = 20;
const RUN_MS_MAX = 100;
const CALM_MS = 3_000;
const LONG_MS = 60_000;
const DRAIN_MS = 120_000;
/** As an operator of Sentinel is told to set it: a primary that nobody follows takes no writes. */
const SERVER = ["--appendonly", "yes", "--min-replicas-to-write", "1", "--min-replicas-max-lag", "10"];

/** A server that was the primary, from its end on and until it may be it again. */
interface Deposed {
  readonly port: number;
  readonly from: number;
  to: number;
}

interface Scene {
  readonly setup: SentinelSetup;
  readonly notes: RedisServer;
  readonly log: FenceLog;
  readonly soak: SoakRun;
  readonly deposed: Deposed[];
}

export async function failovers(options: ChaosOptions): Promise<Finding> {
  const setup = await SentinelSetup.start({ downAfterMs: DOWN_AFTER_MS, serverArgs: SERVER });
  const notes = await startRedisServer();
  const log = new FenceLog(setup.ports);
  await log.start();
  let soak: SoakRun | undefined;
  try {
    soak = await SoakRun.start({
      redisUrl: setup.url,
      notesUrl: notes.url,
      entry: options.entry,
      masters: 2,
      workers: 2,
      leaseMs: LEASE_MS,
      concurrency: 32,
      perSecond: PER_SECOND,
      runMsMax: RUN_MS_MAX,
      durability: "replica",
    });
    const scene: Scene = { setup, notes, log, soak, deposed: [] };
    const pausesMs: number[] = [];
    for (let n = 0; n < options.times; n++) {
      pausesMs.push(await failover(scene, n % 2 === 0 ? "killed" : "frozen"));
      options.note(`Sentinel failover: ${n + 1} of ${options.times}, pause ${Math.round(pausesMs.at(-1) ?? 0)} ms`);
    }
    await soak.settled(DRAIN_MS);
    return await findingOf(scene, pausesMs);
  } finally {
    await soak?.stop();
    log.stop();
    await notes.stop();
    await setup.stop();
  }
}

/** @returns from the end of the old primary until an event of the chat service is taken in by the new one */
async function failover({ setup, log, soak, deposed }: Scene, how: "killed" | "frozen"): Promise<number> {
  await setup.whole(LONG_MS);
  for (const one of deposed) one.to = Math.min(one.to, Date.now());
  await until(Date.now() + CALM_MS);
  const primary = await setup.primary();
  const at = Date.now();
  if (how === "killed") await setup.kill(primary);
  else setup.signal(primary, "SIGSTOP");
  deposed.push({ port: primary, from: at, to: Infinity });
  await setup.movedFrom(primary, LONG_MS);
  const lease = `${soak.keys.tag} fake`;
  const back = () => log.of(lease).find((entry) => entry.deed === "intake" && entry.at > at + DOWN_AFTER_MS / 2)?.at;
  const what = "events are taken in by the new primary";
  const backAt = await waitFor(back, { timeoutMs: LONG_MS, what }).catch((error: unknown) => soak.explain(error));
  if (how === "killed") await setup.restart(primary);
  else setup.signal(primary, "SIGCONT");
  return backAt - at;
}

async function findingOf({ setup, log, soak, deposed }: Scene, pausesMs: readonly number[]): Promise<Finding> {
  const name = "Sentinel failover";
  // What was still in its sockets when it was frozen, a deposed primary does when it goes on. It is no part of what is kept:
  // it is discarded when that server follows the new one, and nobody was told that it is on a replica.
  const isKept = ({ port, at }: Entry): boolean =>
    !deposed.some((one) => one.port === port && at > one.from && at < one.to);
  const told = ["fake", "control"].map((unit) => log.of(`${soak.keys.tag} ${unit}`));
  const leases = told.map((entries) => entries.filter(isKept));
  const discarded = told.flat().filter((entry) => !isKept(entry) && entry.deed !== "refused").length;
  const problems = [...(await soak.problems()), ...leases.flatMap(fenceProblems)];
  const where = problems.length > 0 ? [`logs in ${soak.fleet.keepLogs()}`] : [];
  const counts = await soak.counts();
  const overlap = leases.reduce((sum, entries) => sum + overlapMs(entries), 0);
  return {
    name: "sentinel",
    conditions: [
      `3 Sentinels (down after ${setup.downAfterMs} ms), a primary, 2 replicas; killed and frozen in turns`,
      `2 masters, 2 workers, lease ${LEASE_MS / 1000} s, durability "replica"; ${PER_SECOND} events a second`,
    ],
    rows: [
      ...distribution(`${name} → events are taken in again`, pausesMs, { max: PAUSE_MS }),
      count(`${name}: events accepted`, counts["accepted"] ?? 0),
      count(`${name}: events lost, out of order or with double effects, epochs not growing`, problems.length, {
        is: 0,
      }),
      { ...count(`${name}: two leaders on the fence log`, Math.round(overlap), { is: 0 }), unit: "ms" },
      count(
        `${name}: Leases granted`,
        leases.reduce((sum, entries) => sum + grants(entries).length, 0),
      ),
      count(`${name}: calls that a deposed primary still took, and that were discarded with it`, discarded),
      count(`${name}: Actions said again`, counts["said again"] ?? 0),
    ],
    problems: [...problems, ...where],
  };
}
