// What a master answers to probes. Who leads plays no part, but for a leader that is stuck.

import type { Check, HealthSource } from "../http/health.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Part } from "../runtime/part.ts";
import type { MasterRedis } from "./redis.ts";

export interface MasterHealthOptions {
  readonly redis: MasterRedis;
  readonly leaders: () => readonly Part[];
  /** What became of the connections to chat services. */
  readonly adapters: () => readonly Check[];
  /** What it does as a scaler, for people; undefined where it is none. */
  readonly scaling?: () => string | undefined;
  /** Whether it hears of each Lease that is given back, and is known to the other masters. */
  readonly stands: () => boolean;
  /** Aborted from SIGTERM on. */
  readonly stopping: AbortSignal;
  readonly clock: Clock;
}

/** An upgrade must not wait for ever for what costs it a second at most. */
const STANDS_MS = 10_000;

export function masterHealth(options: MasterHealthOptions): HealthSource {
  const { redis, leaders, adapters, scaling, stopping } = options;
  const phase = (): Check => ({
    name: "phase",
    ok: !stopping.aborted,
    detail: stopping.aborted ? "stopping" : "running",
  });
  const connections = (): Check[] =>
    [...redis.states()].map(([purpose, { state, detail }]) => ({
      name: `redis (${purpose})`,
      ok: state === "ready",
      detail: detail === undefined ? state : `${state}: ${detail}`,
    }));
  const contact = (): Check => ({
    name: "contact",
    ok: redis.contact,
    detail: redis.contact ? "Redis was reached" : "not yet",
  });
  const standing = standingOf(options);
  const live = (): Check[] =>
    leaders().map((leader) => ({ name: leader.name, ...(leader.health?.() ?? { ok: true, detail: "" }) }));
  return {
    live,
    ready: () => [phase(), ...connections(), ...adapters(), ...scalingOf(scaling?.())],
    serving: () => [contact(), standing(), phase()],
  };
}

/** Held or not, the bot goes on: that is no reason not to be ready. */
function scalingOf(detail: string | undefined): Check[] {
  return detail === undefined ? [] : [{ name: "scaler", ok: true, detail }];
}

/** Once it is so, it stays so: where Redis is away later, nobody else would do better. */
function standingOf({ redis, stands, clock }: MasterHealthOptions): () => Check {
  let [hasStood, since]: [boolean, number | undefined] = [false, undefined];
  return () => {
    if (redis.contact) since ??= clock.monotonic();
    const isLate = since !== undefined && clock.monotonic() - since >= STANDS_MS;
    hasStood ||= stands();
    const detail = hasStood ? "it can take a Lease over" : isLate ? "not in time; not waited for" : "not yet";
    return { name: "election", ok: hasStood || isLate, detail };
  };
}
