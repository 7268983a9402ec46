// The benchmark `flood`: what a flood of large webhooks does to the bot and to who talks with it, beside Hubot.

import { redisVersion } from "../redis.ts";
import type { BenchOptions } from "../benches.ts";
import type { Finished } from "../report.ts";
import { buildAntiphon, startAntiphon } from "./antiphon.ts";
import { installHubot, startHubot } from "./hubot.ts";
import { bootStack, type Masters, restMasters } from "./idle.ts";
import { killWorkers } from "./kill.ts";
import { type LoadOptions, measure, type Measured, type MeasureOptions, PAYLOAD_BYTES } from "./measure.ts";
import { rowsOf, STALLED } from "./rows.ts";

const WARMUP_MS = 2_000;
const CONNECTIONS = 512;
const REQUESTS_MAX = 400_000;
const BURNS = 400;
const BURN_CONNECTIONS = 64;
const BURN_MS_MAX = 60_000;
const GOOD_CONNECTIONS = 16;
const KILLS = 10;
const KILLS_ALONE = 3;

type Subject = "hubot" | "off" | "everysec";
type Scenario = "flood" | "burn" | "alone" | "stalled";

const PLAN: readonly (readonly [Scenario, readonly Subject[]])[] = [
  ["flood", ["hubot", "off", "everysec"]],
  ["burn", ["hubot", "off"]],
  ["alone", ["hubot", "off"]],
  ["stalled", ["hubot", "off"]],
];

/** Takes about a minute and a half a round. */
export async function flood(options: BenchOptions): Promise<Finished> {
  const { rounds, seconds, note } = options;
  const hubotVersion = installHubot();
  buildAntiphon();
  const results = new Map<string, Measured[]>();
  const masters: Masters[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const [key, settings] of planOf(round, options)) {
      const measured = await measure(settings);
      results.set(key, [...(results.get(key) ?? []), measured]);
      note(`round ${round}, ${key}: ${described(measured)}`);
    }
    masters.push(await restMasters());
  }
  note("workers are killed, then everything is booted");
  const kills = { seen: await killWorkers(KILLS, true), byTime: await killWorkers(KILLS_ALONE, false) };
  const boots = { server: await bootStack(true), embedded: await bootStack(false) };
  return {
    name: "flood",
    conditions: [
      `Hubot ${hubotVersion}, redis-server ${redisVersion()}; one worker and one master, built, with default settings`,
      `webhooks of ${PAYLOAD_BYTES} bytes, JSON like GitHub's push, parsed by both; each has its own x-github-delivery, by which Antiphon dedupes`,
      `flood: ${CONNECTIONS} keep-alive connections, ${seconds} s after ${WARMUP_MS / 1000} s; burn: ${BURNS} webhooks; good senders: ${GOOD_CONNECTIONS} connections`,
      "meanwhile, whatever becomes of those before, a ping every 50 ms in the web chat and in a chat service",
      `medians of ${rounds} rounds in alternating order, each with fresh processes; load, Redis and bot share the cores`,
    ],
    rows: rowsOf({ results, masters, kills, boots }),
  };
}

/** Whoever comes first in one round comes last in the next. */
function planOf(round: number, options: BenchOptions): [string, MeasureOptions][] {
  return PLAN.flatMap(([scenario, subjects]) =>
    (round % 2 === 0 ? subjects.toReversed() : subjects).map((subject): [string, MeasureOptions] => {
      const pingsUntil = scenario === "burn" ? "drained" : "over";
      const settings = {
        start: startOf(subject, options),
        load: loadOf(scenario, options.seconds),
        pingsUntil,
      } as const;
      return [`${scenario} ${subject}`, settings];
    }),
  );
}

function startOf(subject: Subject, { profile }: BenchOptions): MeasureOptions["start"] {
  if (subject === "hubot") return startHubot;
  const nodeOptions = profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
  const persistence = subject === "off" ? "AOF off" : "AOF everysec";
  return (around) => startAntiphon({ ...around, persistence, nodeOptions });
}

function loadOf(scenario: Scenario, seconds: number): LoadOptions {
  const timed = {
    path: "/hooks/flood",
    connections: GOOD_CONNECTIONS,
    warmupMs: WARMUP_MS,
    durationMs: seconds * 1000,
    requestsMax: REQUESTS_MAX,
    stalled: 0,
  };
  const burn = { path: "/hooks/burn", connections: BURN_CONNECTIONS, requestsMax: BURNS };
  if (scenario === "flood") return { ...timed, connections: CONNECTIONS };
  if (scenario === "burn") return { ...timed, ...burn, warmupMs: 0, durationMs: BURN_MS_MAX };
  return { ...timed, stalled: scenario === "stalled" ? STALLED : 0 };
}

function described({ load, pings, cores, threads, ...measured }: Measured): string {
  const { web, chat } = pings;
  return [
    `${measured.acceptedPerSecond.toFixed(0)} accepted/s`,
    `${measured.handledPerSecond.toFixed(0)} handled/s at once, the rest in ${(measured.drainMs / 1000).toFixed(1)} s`,
    `lost ${measured.lost}, run twice ${measured.repeated}`,
    `answers ${JSON.stringify(load.statuses)}, ${load.broken} broken`,
    `p50 ${load.latency.p50.toFixed(1)} p99 ${load.latency.p99.toFixed(1)} ms`,
    `ping web p50 ${web.p50.toFixed(1)} p99 ${web.p99.toFixed(1)} ms (${web.count}, ${web.unanswered} unanswered)`,
    `ping chat p50 ${chat.p50.toFixed(1)} p99 ${chat.p99.toFixed(1)} ms (${chat.count}, ${chat.unanswered} unanswered)`,
    `memory ${measured.idleMiB.toFixed(0)} to ${measured.peakMiB.toFixed(0)} MiB, ready in ${measured.bootMs.toFixed(0)} ms`,
    `cores: ${listed(cores)}; threads: ${listed(threads)}`,
  ].join("; ");
}

function listed(cores: Readonly<Record<string, number>>): string {
  const worthIt = Object.entries(cores).filter(([, used]) => used >= 0.01);
  return worthIt.map(([name, used]) => `${name} ${used.toFixed(2)}`).join(", ");
}
