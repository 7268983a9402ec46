// From what the rounds of `flood` measured to rows beside Hubot's and the figures to reach.

import type { Row } from "../report.ts";
import { median, quantile } from "../statistics.ts";
import type { Masters } from "./idle.ts";
import type { Kills } from "./kill.ts";
import type { Measured } from "./measure.ts";

export const STALLED = 100;

export interface Results {
  /** By scenario and subject, one for each round. */
  readonly results: ReadonlyMap<string, readonly Measured[]>;
  readonly masters: readonly Masters[];
  readonly kills: { readonly seen: Kills; readonly byTime: Kills };
  /** `npm start`, ms. */
  readonly boots: { readonly server: number; readonly embedded: number };
}

export function rowsOf(all: Results): Row[] {
  const { results } = all;
  const pings = PINGS.flatMap((kind) => burnPing(results, kind));
  return [
    ...floodRows(results, { aof: "AOF off", own: "flood off", share: 0.85 }),
    ...floodRows(results, { aof: "AOF everysec", own: "flood everysec", share: 0.4 }),
    ...pings,
    none("burn: accepted and never handled", sum(results, "burn off", lost)),
    none("burn: pings without an answer", sum(results, "burn off", unanswered)),
    ...stalledRows(results),
    ...killRows(all.kills),
    ...memoryRows(all),
    ...bootRows(all),
  ];
}

type Measurements = Results["results"];
type Get = (measured: Measured) => number;
interface Goal {
  readonly reach: string;
  readonly holds: (value: number, peer: number) => boolean;
}
interface What {
  readonly name: string;
  readonly unit: string;
  readonly own: string;
  /** The same of Hubot. */
  readonly peer: string;
  readonly get: Get;
}

const PINGS = ["web", "chat"] as const;
type PingKind = (typeof PINGS)[number];
const PING_WORDS = { web: "over the same HTTP port", chat: "from the chat service, by the master" };

const lost: Get = (measured) => measured.lost;
const accepted: Get = (measured) => measured.acceptedPerSecond;
const unanswered: Get = ({ pings }) => pings.web.unanswered + pings.chat.unanswered;
const latency: Get = ({ load }) => load.latency.p99;
const failed: Get = ({ load }) => {
  const { "202": _good, ...others } = load.statuses;
  return Object.values(others).reduce((total, count) => total + count, load.broken);
};
const atMost = (limit: number, unit: string): Goal => ({
  reach: `≤ ${limit} ${unit}`,
  holds: (value) => value <= limit,
});

function middle(results: Measurements, key: string, get: Get): number {
  return median((results.get(key) ?? []).map(get));
}

function sum(results: Measurements, key: string, get: Get): number {
  return (results.get(key) ?? []).reduce((total, measured) => total + get(measured), 0);
}

function compare(results: Measurements, { name, unit, own, peer, get }: What, goal?: Goal): Row {
  const value = middle(results, own, get);
  const peerValue = middle(results, peer, get);
  const row = { name, value, unit, peer: "Hubot", peerValue };
  return goal ? { ...row, reach: goal.reach, holds: goal.holds(value, peerValue) } : row;
}

function alone(name: string, value: number, goal: Goal & { readonly unit: string }): Row {
  return { name, value, unit: goal.unit, reach: goal.reach, holds: goal.holds(value, Number.NaN) };
}

function none(name: string, value: number): Row {
  return { name, value, unit: "", reach: "0", holds: value === 0 };
}

interface FloodOf {
  readonly aof: string;
  readonly own: string;
  /** Of Hubot's accepted per second. */
  readonly share: number;
}

function floodRows(results: Measurements, { aof, own, share }: FloodOf): Row[] {
  const pair = { own, peer: "flood hubot" };
  const enough: Goal = { reach: `≥ ${share} of Hubot's`, holds: (value, hubot) => value >= share * hubot };
  const quick: Goal = {
    reach: "≤ 1/4 of Hubot's, ≤ 25 ms",
    holds: (value, hubot) => value <= Math.min(hubot / 4, 25),
  };
  const ping = (kind: PingKind): Row[] => {
    const name = `flood, ${aof}: ping ${PING_WORDS[kind]}`;
    return [
      compare(results, { ...pair, name: `${name}, p50`, unit: "ms", get: ({ pings }) => pings[kind].p50 }),
      compare(results, { ...pair, name: `${name}, p99`, unit: "ms", get: ({ pings }) => pings[kind].p99 }, quick),
    ];
  };
  return [
    compare(results, { ...pair, name: `flood, ${aof}: accepted`, unit: "/s", get: accepted }, enough),
    compare(results, { ...pair, name: `flood, ${aof}: handled at once`, unit: "/s", get: (m) => m.handledPerSecond }),
    none(`flood, ${aof}: accepted and never handled`, sum(results, own, lost)),
    ...PINGS.flatMap((kind) => ping(kind)),
  ];
}

function burnPing(results: Measurements, kind: PingKind): Row {
  const name = `burn, 20 ms of CPU per webhook: ping ${PING_WORDS[kind]}, p99`;
  const get: Get = ({ pings }) => pings[kind].p99;
  return compare(results, { name, unit: "ms", own: "burn off", peer: "burn hubot", get }, atMost(30, "ms"));
}

function stalledRows(results: Measurements): Row[] {
  const pair = { own: "stalled off", peer: "stalled hubot" };
  const name = `good senders beside ${STALLED} stalled uploads`;
  const without = compare(results, {
    name: "good senders alone: p99",
    unit: "ms",
    own: "alone off",
    peer: "alone hubot",
    get: latency,
  });
  const unharmed: Goal = { reach: "unharmed: ≤ 1.5 × alone", holds: (value) => value <= 1.5 * without.value };
  return [
    without,
    compare(results, { ...pair, name: `${name}: p99`, unit: "ms", get: latency }, unharmed),
    compare(results, { ...pair, name: `${name}: accepted`, unit: "/s", get: accepted }),
    none(`${name}: failed`, sum(results, "stalled off", failed)),
  ];
}

function killRows({ seen, byTime }: Results["kills"]): Row[] {
  const ms = (limit: number): Goal & { unit: string } => ({ ...atMost(limit, "ms"), unit: "ms" });
  const tail = ({ elsewhereMs }: Kills, share: number): number => quantile(elsewhereMs, share);
  const counted = `${seen.elsewhereMs.length} deliveries of ${seen.kills} kills`;
  return [
    alone(`worker SIGKILL until elsewhere, p50 of ${counted}`, tail(seen, 0.5), ms(1000)),
    alone("worker SIGKILL until elsewhere, p99", tail(seen, 0.99), ms(2000)),
    alone(`… without a master, by time, longest of ${byTime.kills} kills`, tail(byTime, 1), ms(6000)),
    none("worker SIGKILL: never run again", seen.lost + byTime.lost),
  ];
}

function memoryRows({ results, masters }: Results): Row[] {
  const worker = { unit: "MiB", own: "flood off", peer: "flood hubot" };
  const under = (limit: number): Goal & { unit: string } => ({ ...atMost(limit, "MiB"), unit: "MiB" });
  return [
    compare(results, { ...worker, name: "memory: worker idle", get: (m) => m.idleMiB }, under(160)),
    compare(results, { ...worker, name: "memory: worker under the flood, peak", get: (m) => m.peakMiB }, under(400)),
    alone("memory: standby master", median(masters.map((one) => one.standbyMiB)), under(90)),
    alone("memory: leader", median(masters.map((one) => one.leaderMiB)), under(190)),
  ];
}

function bootRows({ results, masters, boots }: Results): Row[] {
  const worker = { name: "boot to ready: worker", unit: "ms", own: "flood off", peer: "flood hubot" };
  const limit = { ...atMost(4000, "ms"), unit: "ms" };
  return [
    compare(results, { ...worker, get: (m) => m.bootMs }, atMost(1500, "ms")),
    { name: "boot to ready: master", value: median(masters.map((one) => one.bootMs)), unit: "ms" },
    alone("boot to ready: npm start, redis-server on PATH", boots.server, limit),
    alone("boot to ready: npm start, embedded Valkey", boots.embedded, limit),
  ];
}
