// What a master answers to probes. Who leads plays no part, but for a leader that is stuck.

import type { Check, HealthSource } from "../http/health.ts";
import type { Part } from "../runtime/part.ts";
import type { MasterRedis } from "./redis.ts";

export interface MasterHealthOptions {
  readonly redis: MasterRedis;
  readonly leaders: () => readonly Part[];
  /** What became of the connections to chat services. */
  readonly adapters: () => readonly Check[];
  /** Aborted from SIGTERM on. */
  readonly stopping: AbortSignal;
}

export function masterHealth({ redis, leaders, adapters, stopping }: MasterHealthOptions): HealthSource {
  const phase = (): Check => ({
    name: "phase",
    ok: !stopping.aborted,
    detail: stopping.aborted ? "stopping" : "running",
  });
  const connections = (): Check[] =>
    [...redis.states()].map(([purpose, state]) => ({
      name: `redis (${purpose})`,
      ok: state === "ready",
      detail: state,
    }));
  const contact = (): Check => ({
    name: "contact",
    ok: redis.contact,
    detail: redis.contact ? "Redis was reached" : "not yet",
  });
  const live = (): Check[] =>
    leaders().map((leader) => ({ name: leader.name, ...(leader.health?.() ?? { ok: true, detail: "" }) }));
  return {
    live,
    ready: () => [phase(), ...connections(), ...adapters()],
    serving: () => [contact(), phase()],
  };
}
