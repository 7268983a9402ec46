// What a worker answers to probes: read by the HTTP thread from main's pulse, so it answers while main is silent.

import type { Check, HealthSource } from "../http/health.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Pulse } from "./pulse.ts";

export interface WorkerHealthOptions {
  readonly pulse: Pulse;
  /** The HTTP thread's own connections; `state` begins with the state's word. */
  readonly connections: readonly { readonly name: string; readonly state: string }[];
  readonly clock: Clock;
}

const SILENT_MS = 5_000;

export function workerHealth({ pulse, connections, clock }: WorkerHealthOptions): HealthSource {
  const read = () => ({ ...pulse.read(), now: clock.now() });
  const main = (): Check => {
    const { tickAtMs, now } = read();
    const ok = tickAtMs === 0 || now - tickAtMs < SILENT_MS;
    return { name: "main", ok, detail: tickAtMs === 0 ? "starting" : `last tick ${now - tickAtMs} ms ago` };
  };
  const phase = (): Check => {
    const { phase } = read();
    return { name: "phase", ok: phase === "running", detail: phase };
  };
  const redis = (): Check => {
    const { redis } = read();
    return { name: "redis", ok: redis === "ready", detail: redis };
  };
  const beat = (): Check => {
    const { beatAtMs, now } = read();
    const ok = beatAtMs > 0 && now - beatAtMs < SILENT_MS;
    return { name: "beat", ok, detail: beatAtMs === 0 ? "none yet" : `last one accepted ${now - beatAtMs} ms ago` };
  };
  const own = (): Check[] =>
    connections.map(({ name, state }) => ({ name: `redis (${name})`, ok: /^ready\b/.test(state), detail: state }));
  const contact = (): Check => {
    const { contactAtMs } = read();
    return { name: "contact", ok: contactAtMs > 0, detail: contactAtMs > 0 ? "Redis was reached" : "not yet" };
  };
  const staying = (): Check => {
    const { phase } = read();
    return { name: "phase", ok: phase !== "draining", detail: phase };
  };
  return {
    live: () => [main()],
    ready: () => [main(), phase(), redis(), beat(), ...own()],
    serving: () => [contact(), staying()],
  };
}
