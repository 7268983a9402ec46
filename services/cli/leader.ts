// `antiphon leader`: which master leads which unit, since when, under which epoch.

import { loadAdapters } from "../adapters/load.ts";
import type { Config } from "../config.ts";
import { type Seat, seats } from "../leader/seats.ts";
import { systemClock } from "../runtime/clock.ts";
import { askRedis } from "./ask-redis.ts";
import { columns, type Command } from "./command.ts";

export const leader: Command = {
  name: "leader",
  help: "Says who leads which unit: `control` and each connection to a chat service. The web chat needs no leader.",
  options: { json: { type: "boolean", help: "an array of objects" } },
  async run({ readConfig, options, print }) {
    const config = await readConfig("tool");
    const units = await unitsOf(config);
    const found = await askRedis(config, (client, keys) => seats(client, keys, units));
    if (options["json"]) print(JSON.stringify(found));
    else print(columns([["UNIT", "LEADER", "EPOCH", "AGE", "LEASE LEFT"], ...found.map(row)]));
    return 0;
  },
};

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

function row({ unit, leader, epoch, ageMs, remainingMs }: Seat): string[] {
  return [unit, leader ?? "nobody", epoch ?? "-", seconds(ageMs), seconds(remainingMs)];
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? "-" : `${(ms / 1000).toFixed(1)} s`;
}
