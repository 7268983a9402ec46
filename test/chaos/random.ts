// What we break: masters and workers, whichever, at any moment, by SIGKILL under load; a new process takes each one's place.
// What must hold: whatever was accepted is handled, in the order of its key, and nothing inside Redis happens twice.

import { startRedisServer } from "../support/redis.ts";
import { type ChaosOptions, count, type Finding } from "./findings.ts";
import { SoakRun } from "./soak-run.ts";
import { FenceLog } from "./voice/fence-log.ts";
import { fenceProblems, grants, overlapMs } from "./voice/judge.ts";
import { until } from "./voice/stage.ts";

const WORKERS = 4;
const MASTERS = 3;
const PER_SECOND = 40;
const RUN_MS_MAX = 100;
const LEASE_MS = 3_000;
const PAUSE_MS_MAX = 600;
/** Somebody must be there to be asked. */
const SERVING_MIN = 2;
const DRAIN_MS = 180_000;
const NOTE_EVERY = 50;

export async function randomKills({ entry, times, minutesMax = Infinity, note }: ChaosOptions): Promise<Finding> {
  const server = await startRedisServer();
  const log = new FenceLog([server.port]);
  await log.start();
  let soak: SoakRun | undefined;
  try {
    soak = await SoakRun.start({
      redisUrl: server.url,
      entry,
      masters: MASTERS,
      workers: WORKERS,
      leaseMs: LEASE_MS,
      concurrency: 32,
      perSecond: PER_SECOND,
      runMsMax: RUN_MS_MAX,
    });
    const end = Date.now() + minutesMax * 60_000;
    for (let kills = 0; kills < times && Date.now() < end; kills++) {
      await until(Date.now() + Math.random() * PAUSE_MS_MAX);
      await soak.fleet.serve(SERVING_MIN);
      await killAnybody(soak);
      if ((kills + 1) % NOTE_EVERY === 0) note(`random kills: ${kills + 1} of ${times}`);
    }
    await soak.settled(DRAIN_MS);
    return await findingOf(soak, log);
  } finally {
    await soak?.stop();
    log.stop();
    await server.stop();
  }
}

async function killAnybody({ fleet }: SoakRun): Promise<void> {
  while (fleet.livingMasters.length < MASTERS) fleet.addMaster();
  const all = [...fleet.livingMasters, ...fleet.livingWorkers];
  const victim = all[Math.floor(Math.random() * all.length)];
  if (victim && "node" in victim) await fleet.killMaster(victim);
  else if (victim) await fleet.killWorker(victim);
}

async function findingOf(soak: SoakRun, log: FenceLog): Promise<Finding> {
  const name = "random SIGKILLs";
  const leases = ["fake", "control"].map((unit) => log.of(`${soak.keys.tag} ${unit}`));
  const problems = [...(await soak.problems()), ...leases.flatMap(fenceProblems)];
  const counts = await soak.counts();
  const where = problems.length > 0 ? [`logs in ${soak.fleet.keepLogs()}`] : [];
  const overlap = leases.reduce((sum, entries) => sum + overlapMs(entries), 0);
  const of = (key: string): number => counts[key] ?? 0;
  return {
    name: "random",
    conditions: [
      `${WORKERS} workers, ${MASTERS} masters, lease ${LEASE_MS / 1000} s; ${PER_SECOND} events a second for ${of("seconds")} s, runs of up to ${RUN_MS_MAX} ms`,
      "webhooks with and without keys, lines of a web chat and of a chat service without idempotency keys",
    ],
    rows: [
      count(`${name} of workers`, of("worker kills")),
      count(`${name} of masters`, of("master kills")),
      count(`${name}: workers killed in the middle of a run`, await soak.hits()),
      count(`${name}: events accepted`, of("accepted")),
      count(`${name}: events sent again by their senders`, of("sent again")),
      count(`${name}: events whose senders gave up after half a minute without a 202`, of("given up")),
      count(`${name}: runs cut off`, of("cut off")),
      count(`${name}: events lost, out of order or with double effects inside Redis`, problems.length, { is: 0 }),
      { ...count(`${name}: two leaders on the fence log`, Math.round(overlap), { is: 0 }), unit: "ms" },
      count(
        `${name}: Leases granted`,
        leases.reduce((sum, entries) => sum + grants(entries).length, 0),
      ),
      count(`${name}: Actions said again after a kill`, of("said again")),
    ],
    problems: [...problems, ...where],
  };
}
