// The support bundle: what somebody needs to know who helps from afar, as one JSON text, without secrets. Each section fails by
// itself, so that there is one also when Redis is away.

import { hostname } from "node:os";
import type { BrokerContext } from "../broker/connection.ts";
import { examine } from "../broker/doctor.ts";
import { queueNames } from "../broker/registered.ts";
import { wholeLoad } from "../broker/workload.ts";
import type { Config } from "../config/config.ts";
import { reportsOf } from "../config/reports.ts";
import { mastersOf } from "../leader/masters.ts";
import { seats } from "../leader/seats.ts";
import { environmentOf } from "../redis/environment.ts";
import type { Clock } from "../runtime/clock.ts";
import { withDeadline } from "../runtime/part.ts";
import { processName } from "../runtime/process-name.ts";
import { VERSION } from "../runtime/version.ts";
import { maskOf } from "../telemetry/report.ts";
import { samplesOf } from "../telemetry/samples.ts";
import { takeSnapshot } from "./snapshot.ts";
import { shownSettings } from "./support-settings.ts";

export interface SupportOptions {
  readonly config: Config;
  readonly context: BrokerContext;
  readonly clock: Clock;
}

const SECTION_MS = 60_000;
const DELIVERIES_MAX = 200_000;
/** Of INFO: what a server is asked for, without the paths of its machine. */
const INFO = ["server", "clients", "memory", "persistence", "stats", "replication", "keyspace"];
const PRIVATE = /^(executable|config_file|run_id|master_host|slave\d+|.*_host):.*$/gm;

export async function supportBundle(options: SupportOptions): Promise<string> {
  const { config, context, clock } = options;
  const { client, keys } = context;
  const { leaseMs, durability } = config;
  const sections: Readonly<Record<string, () => unknown>> = {
    about: () => about(clock),
    settings: () => shownSettings(config),
    redis: () => environmentOf({ client, keys, durability, clock }),
    info: async () =>
      Object.fromEntries(await Promise.all(INFO.map(async (part) => [part, await infoOf(context, part)]))),
    doctor: () => doctor(options),
    now: () => takeSnapshot({ context, leaseMs }),
    metrics: async () => samplesOf(await wholeLoad(context)),
    leaders: async () => {
      const masters = await mastersOf(client, keys, leaseMs);
      return { masters, units: await seats(client, keys, { units: [], masters }) };
    },
  };
  const told = await Promise.all(
    Object.entries(sections).map(async ([name, tell]) => [name, await sectionOf(name, tell)] as const),
  );
  const mask = maskOf(reportsOf({ config, server: hostname(), version: VERSION }).secrets);
  return `${JSON.stringify(maskedIn(Object.fromEntries(told), mask), null, 2)}\n`;
}

async function sectionOf(name: string, tell: () => unknown): Promise<unknown> {
  try {
    return await withDeadline(Promise.resolve(tell()), SECTION_MS, name);
  } catch (error) {
    return { failed: String(error) };
  }
}

function about(clock: Clock): object {
  return {
    at: new Date(clock.now()).toISOString(),
    antiphon: VERSION,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    process: processName(),
    upSeconds: Math.round(process.uptime()),
    memory: process.memoryUsage(),
    resources: process.resourceUsage(),
    handles: process.getActiveResourcesInfo().length,
  };
}

async function infoOf({ client }: BrokerContext, part: string): Promise<string[]> {
  const lines = (await client.info(part)).replace(PRIVATE, "").split(/\r?\n/);
  return lines.filter((line) => line !== "" && !line.startsWith("#"));
}

/** Ids of deliveries and keys may name people; what is wrong with them is told, they are not. */
async function doctor({ context, clock }: SupportOptions): Promise<unknown> {
  const names = await queueNames(context);
  const counts = await Promise.all(names.map((name) => context.client.hlen(`${context.keys.queue(name)}:j`)));
  const deliveries = counts.reduce((sum, count) => sum + count, 0);
  if (deliveries > DELIVERIES_MAX) return { skipped: `${deliveries} deliveries are too many for this.` };
  const found = await examine(context, { repair: false, signal: AbortSignal.timeout(SECTION_MS), clock });
  const findings = found.findings.map(({ queue, code, harmless }) => ({ queue, code, harmless }));
  return {
    sound: found.isSound,
    queues: found.queues.length,
    deliveries: found.deliveries,
    findings,
    more: found.more,
  };
}

/** In each text by itself: in JSON a secret may be written otherwise. */
function maskedIn(value: unknown, mask: (text: string) => string): unknown {
  if (typeof value === "string") return mask(value);
  if (Array.isArray(value)) return value.map((part) => maskedIn(part, mask));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [mask(key), maskedIn(part, mask)]));
}
