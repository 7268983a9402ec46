// `antiphon leader`: which master leads which unit, since when, under which epoch, and how it came to that.

import { loadAdapters } from "../adapters/load.ts";
import type { Config } from "../config/config.ts";
import { mastersOf } from "../leader/masters.ts";
import { type Seat, seats } from "../leader/seats.ts";
import type { Peer } from "../leader/share.ts";
import { systemClock } from "../runtime/clock.ts";
import { ApiClient } from "./api-client.ts";
import { askRedis } from "./ask-redis.ts";
import { columns, type Command } from "./command.ts";
import { URL_OPTION, urlOf } from "./url-option.ts";

export const leader: Command = {
  name: "leader",
  help: "Says who leads which unit: `control` and each connection to a chat service. The web chat needs no leader.",
  options: { ...URL_OPTION, json: { type: "boolean", help: "an array of objects" } },
  async run({ readConfig, options, print }) {
    const url = urlOf(options);
    const config = await readConfig("tool");
    const units = await unitsOf(config);
    const { masters, found } = await (url === undefined ? inRedis(config, units) : behind(url, config, units));
    if (options["json"]) print(JSON.stringify(found));
    else print(`${columns([HEAD, ...found.map(row)])}\n\n${columns([STANDING, ...masters.map(standing)])}`);
    return 0;
  },
};

interface Leaders {
  readonly masters: readonly Peer[];
  readonly found: readonly Seat[];
}

function inRedis(config: Config, units: readonly string[]): Promise<Leaders> {
  return askRedis(config, async (client, keys) => {
    const masters = await mastersOf(client, keys, config.leaseMs);
    return { masters, found: await seats(client, keys, { units, masters }) };
  });
}

async function behind(url: string, { adminToken: token }: Config, units: readonly string[]): Promise<Leaders> {
  const query = { units: units.join(",") };
  const told = await new ApiClient({ url, token }).ask<{ units: Seat[]; masters: Peer[] }>("GET", "/leaders", {
    query,
  });
  return { masters: told.masters, found: told.units };
}

async function unitsOf(config: Config): Promise<string[]> {
  const units = ["control"];
  for (const { name, create, settings } of await loadAdapters(config)) {
    if (create === undefined) continue;
    const adapter = await create({ settings, clock: systemClock, random: Math.random });
    const own = (await adapter.units?.()) ?? [""];
    units.push(...own.map((unit) => (unit === "" ? name : `${name}/${unit}`)));
  }
  return units;
}

const HEAD = [
  "UNIT",
  "LEADER",
  "EPOCH",
  "AGE",
  "LEASE LEFT",
  "RENEWED",
  "VACANT",
  "HANDOVERS",
  "EXPIRED",
  "FENCED",
  "IN DOUBT",
];
const STANDING = ["MASTER", "REVISION", "LEADS", ""];

function row(seat: Seat): string[] {
  const { unit, leader, epoch, ageMs, remainingMs, renewals, vacantMs, handovers, expiries, fenced, doubts } = seat;
  const times = [seconds(ageMs), seconds(remainingMs), String(renewals), seconds(vacantMs)];
  return [unit, leader ?? "nobody", epoch ?? "-", ...times, ...[handovers, expiries, fenced, doubts].map(String)];
}

function standing({ owner, revision, leads, units, leaving }: Peer): string[] {
  return [owner, revision, `${leads} of ${units.length}`, leaving ? "leaving" : ""];
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? "-" : `${(ms / 1000).toFixed(ms < 1000 ? 3 : 1)} s`;
}
